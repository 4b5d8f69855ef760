//! Domains and problems in PDDL.

use foretaste::env::tw_pddl::pddl::Domain;

use super::choices::Choices;

/// A repeated part does not grow beyond so many bytes.
const LONG: usize = 400_000;

/// A domain with few words.
pub const PLAIN: &str = "(define (domain d) (:types t u) (:predicates (q ?a) (r ?a ?b) (s ?a) (w \
                         ?a ?b ?c) (lit))
        (:action go :parameters (?x - object) :precondition (or (q ?x) (s ?x)) :effect (and (s ?x) (not (q ?x))))
        (:action look :parameters () :precondition (and) :effect (lit)))";

/// What formulas may speak of.
pub struct Words {
    /// Type names, `object` first.
    pub types: Vec<String>,
    /// Predicates and how many arguments they take.
    pub predicates: Vec<(String, usize)>,
    /// Actions and their parameters.
    pub actions: Vec<(String, Vec<String>)>,
    /// Objects, of which only the first few are spoken of.
    pub objects: Vec<String>,
    /// Whether some mistakes are wanted.
    flawed: bool,
}

impl Words {
    /// The words of a domain that is there, with the objects of a problem.
    pub fn of(domain: &Domain, objects: Vec<String>) -> Self {
        let arity = domain.arity.iter().copied();
        Self {
            types: domain.types.clone(),
            predicates: domain.predicates.iter().cloned().zip(arity).skip(1).collect(),
            actions: domain
                .actions
                .iter()
                .map(|action| (action.name.clone(), action.params.clone()))
                .collect(),
            objects,
            flawed: false,
        }
    }

    /// Words of a domain that is still to be written.
    pub fn new(c: &mut Choices<'_>) -> Self {
        let types = c.many(2000).max(1);
        let predicates = c.many(3000).max(1);
        Self {
            types: (0..types)
                .map(|i| if i == 0 { "object".into() } else { format!("t{i}") })
                .collect(),
            predicates: (0..predicates)
                .map(|i| (format!("q{i}"), if i == 0 { 1 } else { c.below(4) }))
                .collect(),
            actions: Vec::new(),
            objects: (0..4).map(|i| format!("o{i}")).collect(),
            flawed: c.chance(15),
        }
    }

    /// One of the types.
    pub fn kind(&self, c: &mut Choices<'_>) -> &str {
        &self.types[c.below(self.types.len().min(4))]
    }

    fn object(&self, c: &mut Choices<'_>) -> String {
        if self.objects.is_empty() {
            return "nobody".into();
        }
        if c.chance(2) {
            format!("c{}", c.below(70_000))
        } else {
            self.objects[c.below(self.objects.len())].clone()
        }
    }

    fn term(&self, c: &mut Choices<'_>, scope: &[String]) -> String {
        if self.flawed && c.chance(4) {
            return "?free".into();
        }
        if scope.is_empty() || c.chance(20) {
            self.object(c)
        } else {
            scope[c.below(scope.len())].clone()
        }
    }

    fn atom(&self, c: &mut Choices<'_>, scope: &[String]) -> String {
        if c.chance(10) {
            return format!("(= {} {})", self.term(c, scope), self.term(c, scope));
        }
        let (name, arity) = &self.predicates[c.below(self.predicates.len())];
        let given = if self.flawed && c.chance(3) { arity + 1 } else { *arity };
        let args: String = (0..given).map(|_| format!(" {}", self.term(c, scope))).collect();
        format!("({name}{args})")
    }

    fn literal(&self, c: &mut Choices<'_>, scope: &[String]) -> String {
        if c.chance(30) { format!("(not {})", self.atom(c, scope)) } else { self.atom(c, scope) }
    }

    /// A typed list of so many new variables.
    fn variables(&self, c: &mut Choices<'_>, count: usize, scope: &mut Vec<String>) -> String {
        let mut list = Vec::new();
        for _ in 0..count {
            let name = format!("?v{}", scope.len());
            list.push(if c.chance(50) {
                name.clone()
            } else {
                format!("{name} - {}", self.kind(c))
            });
            scope.push(name);
        }
        // A name without a type takes that of the next one with a type.
        list.join(" ")
    }

    /// A part that repeats: what stands before and after the place where the next one goes.
    fn context(&self, c: &mut Choices<'_>, scope: &mut Vec<String>) -> (String, String) {
        let side = |c: &mut Choices<'_>| match c.below(4) {
            0 => self.literal(c, scope),
            1 => format!("(or {} {})", self.literal(c, scope), self.literal(c, scope)),
            2 => ["(or)", "()", "(and)"][c.below(3)].to_string(),
            _ => format!("(exists (?w) {})", self.literal(c, &["?w".to_string()])),
        };
        match c.below(5) {
            0 => (format!("(and {} ", side(c)), ")".into()),
            1 => (format!("(or {} ", side(c)), ")".into()),
            2 => ("(and ".into(), format!("{})", side(c))),
            3 => {
                (format!("(and (or {} {}) ", self.atom(c, scope), self.atom(c, scope)), ")".into())
            }
            _ if scope.len() < 15 && c.chance(30) => {
                let list = self.variables(c, 1, scope);
                (format!("(exists ({list}) "), ")".into())
            }
            _ => ("(and (or) ".into(), ")".into()),
        }
    }

    /// A formula over `scope`, at most so deep.
    pub fn formula(&self, c: &mut Choices<'_>, scope: &[String], deep: usize) -> String {
        if !c.spend() || deep == 0 {
            return self.literal(c, scope);
        }
        if self.flawed && c.chance(2) {
            return ["(forall (?z) (q0 ?z))", "(not (and))", "(imply (q0) (q0))", "word"]
                [c.below(4)]
            .to_string();
        }
        match c.below(9) {
            0 | 1 => self.literal(c, scope),
            2 | 3 => {
                let head = c.pick(&["and", "or", "and"]);
                let parts: String = (0..c.many(8))
                    .map(|_| format!(" {}", self.formula(c, scope, deep - 1)))
                    .collect();
                format!("({head}{parts})")
            }
            4 => {
                let head = c.pick(&["and", "and", "or"]);
                let part = self.formula(c, scope, deep.min(3) - 1);
                format!(
                    "({head}{})",
                    format!(" {part}").repeat(c.many(8000).min(LONG / part.len()))
                )
            }
            5 => {
                let mut inner = scope.to_vec();
                let count = if c.chance(20) { c.between(0, 18) } else { c.between(0, 2) };
                let list = self.variables(c, count, &mut inner);
                // Something that no binding makes true is looked for among all of them.
                let never = count > 4 && c.chance(50);
                let part = if never {
                    format!("(not (= {0} {0}))", inner[0])
                } else {
                    self.formula(c, &inner, deep - 1)
                };
                format!("(exists ({list}) {part})")
            }
            6 => format!("(not (= {0} {0}))", self.term(c, scope)),
            7 => {
                let mut inner = scope.to_vec();
                let (before, after) = self.context(c, &mut inner);
                let (more, ends) = self.context(c, &mut inner.clone());
                let times = c.depth(deep.max(1) / 2);
                let leaf = match c.below(3) {
                    0 => "(or)".to_string(),
                    1 => self.literal(c, &inner),
                    _ => self.formula(c, &inner, deep.saturating_sub(2 * times + 2)),
                };
                let (open, close) = if c.chance(50) {
                    (before.clone() + &more, ends + &after)
                } else {
                    (before, after)
                };
                format!("{}{leaf}{}", open.repeat(times), close.repeat(times))
            }
            _ => "()".into(),
        }
    }

    fn effect(&self, c: &mut Choices<'_>, scope: &[String]) -> String {
        if c.chance(25) {
            let when: String =
                (0..c.many(300)).map(|_| format!(" {}", self.literal(c, scope))).collect();
            return format!(
                "(when (and{when}) (and {} {}))",
                self.literal(c, scope),
                self.literal(c, scope)
            );
        }
        if c.chance(5) { "(increase (total-cost) 1)".into() } else { self.literal(c, scope) }
    }

    /// The domain with so many actions or a few more.
    pub fn domain(&mut self, c: &mut Choices<'_>) -> String {
        let types: String = self.types[1..].iter().map(|name| format!(" {name}")).collect();
        let mut predicates = String::new();
        for (name, arity) in &self.predicates {
            let args: String = (0..*arity).map(|i| format!(" ?a{i}")).collect();
            predicates.push_str(&format!("({name}{args}) "));
        }
        let mut actions = String::new();
        for i in 0..c.many(200).max(1) {
            let mut scope = Vec::new();
            let count = if c.chance(15) { c.between(0, 17) } else { c.between(0, 3) };
            let list = self.variables(c, count, &mut scope);
            let precondition = self.formula(c, &scope, 58);
            let effects: String =
                (0..c.many(500).max(1)).map(|_| format!(" {}", self.effect(c, &scope))).collect();
            actions.push_str(&format!(
                "\n(:action a{i} :parameters ({list})\n :precondition {precondition}\n :effect \
                 (and{effects}))"
            ));
            self.actions
                .push((format!("a{i}"), scope.iter().map(|name| name[1..].to_string()).collect()));
        }
        let domain =
            format!("(define (domain d) (:types{types}) (:predicates {predicates}){actions})");
        if self.flawed && c.chance(20) {
            domain[..c.below(domain.len())].to_string()
        } else {
            domain
        }
    }

    /// A problem: its objects, its facts and its goal.
    pub fn problem(&mut self, c: &mut Choices<'_>) -> String {
        let count = if c.chance(30) { c.between(20, 70) } else { c.many(66_000) };
        let mut objects = String::new();
        let mut names = Vec::new();
        for i in 0..count {
            let name = format!("o{i}{}", if i % 5 == 4 { "_bar_1" } else { "" });
            objects.push_str(&format!("{name} - {} ", self.kind(c)));
            names.push(name);
        }
        self.objects = names;
        let facts = self.facts(c);
        let goal = self.formula(c, &[], 58);
        format!(
            "(define (problem p) (:domain d) (:objects {objects}) (:init {facts}) (:goal {goal}))"
        )
    }

    /// Facts of the objects.
    pub fn facts(&self, c: &mut Choices<'_>) -> String {
        let mut facts = String::new();
        if self.objects.is_empty() {
            return facts;
        }
        for _ in 0..c.many(10_000) {
            let (name, arity) = &self.predicates[c.below(self.predicates.len())];
            let args: String = (0..*arity)
                .map(|_| format!(" {}", self.objects[c.below(self.objects.len())]))
                .collect();
            facts.push_str(&format!("({name}{args}) "));
        }
        if c.chance(30) {
            let (name, arity) = &self.predicates[0];
            for object in &self.objects {
                facts.push_str(&format!("({name}{}) ", format!(" {object}").repeat(*arity)));
            }
        }
        facts
    }
}

impl Words {
    /// The words of [`PLAIN`], so that the rest of a game is what grows: predicates of one to three
    /// arguments that play changes or not.
    pub fn plain(c: &mut Choices<'_>) -> Self {
        let predicates = [("q", 1), ("r", 2), ("s", 1), ("w", 3), ("lit", 0)];
        Self {
            types: ["object", "t", "u"].map(String::from).to_vec(),
            predicates: predicates[..c.between(1, 5)]
                .iter()
                .map(|(name, arity)| ((*name).to_string(), *arity))
                .collect(),
            actions: vec![("go".into(), vec!["x".into()]), ("look".into(), Vec::new())],
            objects: Vec::new(),
            flawed: c.chance(10),
        }
    }
}
