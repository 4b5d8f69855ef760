//! Domains and grammars back as text, to test the readers: what was read, printed and read again
//! must be the same.

use std::fmt::Write;

use super::grammar::{ExprTerm, Grammar, Hole, Pattern, Piece, What};
use super::pddl::{Atom, Clause, Domain, Literal, Term};

fn variable(params: &[String], v: u8) -> String {
    params.get(usize::from(v)).map_or_else(|| format!("?q{v}"), |name| format!("?{name}"))
}

fn atom(domain: &Domain, params: &[String], atom: &Atom) -> String {
    let mut out = format!("({}", domain.predicates[usize::from(atom.pred)]);
    for term in &atom.args {
        let word = match term {
            Term::Var(v) => variable(params, *v),
            Term::Const(c) => domain.constants[usize::from(*c)].clone(),
        };
        let _ = write!(out, " {word}");
    }
    out + ")"
}

fn literal(domain: &Domain, params: &[String], literal: &Literal) -> String {
    let text = atom(domain, params, &literal.atom);
    if literal.negated { format!("(not {text})") } else { text }
}

fn clause(domain: &Domain, params: &[String], clause: &Clause) -> String {
    let literals: String =
        clause.literals.iter().map(|l| format!(" {}", literal(domain, params, l))).collect();
    let quantified = clause.types.iter().enumerate().skip(params.len());
    let vars: String = quantified
        .map(|(v, kind)| format!("?q{v} - {} ", domain.types[usize::from(*kind)]))
        .collect();
    if vars.is_empty() {
        format!("(and{literals})")
    } else {
        format!("(exists ({vars}) (and{literals}))")
    }
}

/// A domain as PDDL.
pub fn domain(domain: &Domain) -> String {
    let mut out =
        format!("(define (domain d)\n(:types {})\n(:predicates", domain.types[1..].join(" "));
    for (name, arity) in domain.predicates.iter().zip(&domain.arity).skip(1) {
        let vars: String = (0..*arity).map(|v| format!(" ?a{v}")).collect();
        let _ = write!(out, "\n ({name}{vars})");
    }
    out.push_str(")\n");
    for action in &domain.actions {
        let params = action.params.iter().zip(&action.types);
        let params: String = params
            .map(|(name, kind)| format!("?{name} - {} ", domain.types[usize::from(*kind)]))
            .collect();
        let clauses: String = action
            .clauses
            .iter()
            .map(|c| format!(" {}", clause(domain, &action.params, c)))
            .collect();
        let effects = action.effects.iter().map(|effect| {
            let changed = atom(domain, &action.params, &effect.atom);
            let changed = if effect.delete { format!("(not {changed})") } else { changed };
            let when: String = effect
                .when
                .iter()
                .map(|l| format!(" {}", literal(domain, &action.params, l)))
                .collect();
            if when.is_empty() {
                format!(" {changed}")
            } else {
                format!(" (when (and{when}) {changed})")
            }
        });
        let effects: String = effects.collect();
        let _ = writeln!(
            out,
            "(:action {} :parameters ({params}) :precondition (or{clauses}) :effect \
             (and{effects}))",
            action.name
        );
    }
    out + ")"
}

fn query(grammar: &Grammar, domain: &Domain, patterns: &[Pattern]) -> String {
    let one = |pattern: &Pattern| {
        let name =
            pattern.pred.map_or("nothing", |pred| domain.predicates[usize::from(pred)].as_str());
        let kind = |kind: Option<u16>| {
            kind.map_or("unknown", |kind| domain.types[usize::from(kind)].as_str())
        };
        let args = pattern
            .args
            .iter()
            .map(|(v, t)| format!("{}:{}", grammar.names[usize::from(*v)], kind(*t)));
        format!(
            "{}{name}({})",
            if pattern.negative { "not_" } else { "" },
            args.collect::<Vec<_>>().join(", ")
        )
    };
    patterns.iter().map(one).collect::<Vec<_>>().join(" & ")
}

fn hole(grammar: &Grammar, domain: &Domain, hole: &Hole) -> String {
    let term = |term: &ExprTerm| match term {
        ExprTerm::Text(text) => format!("'{text}'"),
        ExprTerm::Name(name) => format!("{}.name", grammar.names[usize::from(*name)]),
        ExprTerm::Id(name) => format!("{}.id", grammar.names[usize::from(*name)]),
    };
    let what = match &hole.what {
        What::Symbol(symbol) => format!("#{}#", grammar.symbols[usize::from(*symbol)]),
        What::Expr(alternatives) => {
            let sum =
                |terms: &Vec<ExprTerm>| terms.iter().map(term).collect::<Vec<_>>().join(" + ");
            alternatives.iter().map(sum).collect::<Vec<_>>().join(" or ")
        }
    };
    let asked =
        hole.query.as_ref().map(|patterns| format!(" | {}", query(grammar, domain, patterns)));
    format!("{{{what}{}}}", asked.unwrap_or_default())
}

fn pieces(grammar: &Grammar, domain: &Domain, pieces: &[Piece]) -> String {
    let one = |piece: &Piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Symbol(symbol) => format!("#{}#", grammar.symbols[usize::from(*symbol)]),
        Piece::Each(inner) => hole(grammar, domain, inner),
        Piece::List(inner) => format!("[{}]", hole(grammar, domain, inner)),
    };
    pieces.iter().map(one).collect()
}

/// A grammar as twl2, its rules in the order of their names.
pub fn grammar(grammar: &Grammar, domain: &Domain) -> String {
    let mut rules = serde_json::Map::new();
    let mut named: Vec<_> = grammar.symbols.iter().zip(&grammar.rules).collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    for (name, list) in named {
        let Some(list) = list else { continue };
        let rule = |rule: &super::grammar::Rule| {
            let condition = query(grammar, domain, &rule.condition);
            let rhs = pieces(grammar, domain, &rule.rhs);
            serde_json::json!({"condition": condition, "rhs": rhs})
        };
        rules.insert(name.clone(), list.iter().map(rule).collect());
    }
    let json = serde_json::to_string_pretty(&rules).unwrap_or_default();
    let mut out = format!("grammar :: \"\"\"\n{json}\n\"\"\";\n");
    for (a, action) in domain.actions.iter().enumerate() {
        let Some(text) = grammar.of_action(a) else { continue };
        let template = pieces(grammar, domain, &text.template);
        let feedback = pieces(grammar, domain, &text.feedback);
        let _ = writeln!(
            out,
            "action {} {{ template :: \"{template}\"; feedback :: \"{feedback}\"; }}",
            action.name
        );
    }
    out
}

mod tests {
    use super::*;
    use proptest::prelude::*;

    const DOMAIN: &str = include_str!("../../../assets/household/domain.pddl");
    const GRAMMAR: &str = include_str!("../../../assets/household/grammar.twl2");

    fn same(text: &str, known: &Domain) {
        let once = Grammar::parse(text, known).unwrap();
        let printed = grammar(&once, known);
        let twice = Grammar::parse(&printed, known).unwrap_or_else(|e| panic!("{e}\n{printed}"));
        assert_eq!(grammar(&twice, known), printed);
    }

    #[test]
    fn the_household_is_the_same_after_printing() {
        let once = Domain::parse(DOMAIN).unwrap();
        let twice = Domain::parse(&domain(&once)).unwrap();
        assert_eq!(format!("{once:?}"), format!("{twice:?}"));
        same(GRAMMAR, &once);
    }

    #[test]
    fn real_games_are_the_same_after_printing() {
        let shared = std::env::var_os("FORETASTE_SHARED").map(std::path::PathBuf::from);
        let shared = shared.unwrap_or_else(|| {
            std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared")
        });
        let folder = shared.join("alfworld/json_2.1.1/valid_unseen");
        let Ok(groups) = std::fs::read_dir(&folder) else {
            eprintln!(
                "\n!!! NOT CHECKED: no ALFWorld games at {}. Set FORETASTE_SHARED. !!!\n",
                folder.display()
            );
            return;
        };
        for group in groups.flatten().take(5) {
            for trial in std::fs::read_dir(group.path()).unwrap().flatten() {
                let text = std::fs::read(trial.path().join("game.tw-pddl")).unwrap();
                let file: super::super::game::GameFile = serde_json::from_slice(&text).unwrap();
                let once = Domain::parse(&file.pddl_domain).unwrap();
                let twice = Domain::parse(&domain(&once)).unwrap();
                assert_eq!(format!("{once:?}"), format!("{twice:?}"));
                same(&file.grammar, &once);
            }
        }
    }

    fn formula() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("(at ?a)".to_string()),
            Just("(near ?a ?b)".to_string()),
            Just("(near ?b home)".to_string()),
            Just("(not (at ?b))".to_string()),
            Just("(not (= ?a ?b))".to_string()),
            Just("()".to_string()),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..3)
                    .prop_map(|parts| format!("(and {})", parts.join(" "))),
                proptest::collection::vec(inner.clone(), 1..3)
                    .prop_map(|parts| format!("(or {})", parts.join(" "))),
                inner.prop_map(|part| format!(
                    "(exists (?c - place ?d - odd,) (and (near ?c ?a) {part}))"
                )),
            ]
        })
    }

    fn rhs() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zA-Z.,!' ]{1,12}".prop_map(|text| text),
            Just("#other#".to_string()),
            Just("{a.name}".to_string()),
            Just("{a.indefinite + ' ' + a.name | at(a:place)}".to_string()),
            Just("[{a.name or a.id | near(a:place, b:place) & not_at(b:place)}]".to_string()),
            Just("[{#other# | at(z:unknown)}]".to_string()),
        ];
        proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_random_domain_is_the_same_after_printing(conditions in proptest::collection::vec(formula(), 1..3)) {
            let action = |(i, condition): (usize, &String)| format!(
                "(:action go{i} :parameters (?a ?b - place) :precondition {condition}
                  :effect (and (at ?b) (when (at ?a) (not (near ?a ?b)))))"
            );
            let actions: String = conditions.iter().enumerate().map(action).collect();
            let text = format!("(define (domain d) (:types place) (:predicates (at ?p) (near ?p \
                                ?q)) {actions})");
            if let Ok(once) = Domain::parse(&text) {
                let printed = domain(&once);
                let twice = Domain::parse(&printed).unwrap_or_else(|e| panic!("{e}\n{printed}"));
                prop_assert_eq!(format!("{:?}", once), format!("{:?}", twice));
            }
        }

        #[test]
        fn a_random_grammar_is_the_same_after_printing(texts in proptest::collection::vec(rhs(), 1..4)) {
            let known = Domain::parse("(define (domain d) (:types place) (:predicates (at ?p) \
                                       (near ?p ?q))
                (:action go :parameters (?a - place) :precondition () :effect (at ?a)))").unwrap();
            let rule = |text: &String| serde_json::json!({"condition": "at(a:place) & \
                not_near(a:place, b:place)", "rhs": text});
            let rules = serde_json::json!({"intro": texts.iter().map(rule).collect::<Vec<_>>(),
            "other": [{"rhs": "x"}]});
            let action = format!("action GO {{ template :: \"{}\"; feedback :: \"#intro#\"; }}",
            texts[0]);
            same(&format!("grammar :: \"\"\"{rules}\"\"\"; {action}"), &known);
        }
    }
}
