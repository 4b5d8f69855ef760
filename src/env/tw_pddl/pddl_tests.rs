use super::*;

const DOMAIN: &str = "(define (domain d) (:requirements :adl) (:types place)
    (:predicates (at ?p - place) (open ?p - place) (wet ?p - place))
    (:action dip :parameters (?p - place)
      :precondition (and (at ?p) (or (not (open ?p)) (exists (?q - place, ?r - place) (open ?q))))
      :effect (and (wet ?p) (when (open ?p) (not (at ?p))) (increase (total-cost) 1))))";

#[test]
fn normalises_preconditions_and_keeps_conditional_effects() {
    let domain = Domain::parse(DOMAIN).unwrap();
    let dip = &domain.actions[0];
    assert_eq!(dip.clauses.len(), 2);
    assert_eq!(dip.clauses[1].types.len(), 3, "p and the two quantified variables");
    assert_eq!(
        domain.types[usize::from(dip.clauses[1].types[1])],
        "place,",
        "the original's comma typo has no members"
    );
    assert_eq!(dip.effects.len(), 2);
    assert!(domain.is_static[usize::from(domain.predicate("open").unwrap())]);
}

#[test]
fn refuses_what_is_outside_the_subset_with_its_line() {
    let with = DOMAIN.replace("(at ?p) (or", "(forall (?z) (at ?z)) (or");
    assert!(Domain::parse(&with).unwrap_err().message().starts_with("line 4: `forall`"));
    let axioms = DOMAIN.replace("(:types place)", "(:derived (x) (y))");
    assert!(Domain::parse(&axioms).unwrap_err().message().contains("`:derived` is not supported"));
}
