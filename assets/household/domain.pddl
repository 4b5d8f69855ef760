; The household: one room, its furniture, and things to fetch, wash, warm, cool and look at.
(define (domain household)
 (:requirements :adl :typing)
 (:types agent place furniture thing fkind tkind)
 (:predicates
   (standing ?a - agent ?p - place)
   (spot ?f - furniture ?p - place)
   (within ?t - thing ?f - furniture)
   (shuts ?f - furniture)
   (ajar ?f - furniture)
   (fkindof ?f - furniture ?k - fkind)
   (tkindof ?t - thing ?k - tkind)
   (suits ?f - fkind ?t - tkind)
   (portable ?t - thing)
   (switchable ?t - thing)
   (washable ?t - thing)
   (warmable ?t - thing)
   (chillable ?t - thing)
   (carries ?a - agent ?t - thing)
   (busy ?a - agent)
   (rinsed ?t - thing)
   (warmed ?t - thing)
   (chilled ?t - thing)
   (lit ?t - thing)
   (noticed ?x))

 (:action survey
   :parameters (?a - agent ?p - place)
   :precondition (standing ?a ?p)
   :effect (noticed ?p))

 (:action hands
   :parameters (?a - agent)
   :precondition ()
   :effect (noticed ?a))

 (:action walk
   :parameters (?a - agent ?from - place ?to - place ?f - furniture)
   :precondition (and (standing ?a ?from) (spot ?f ?to))
   :effect (and (not (standing ?a ?from)) (standing ?a ?to)))

 (:action unclose
   :parameters (?a - agent ?p - place ?f - furniture)
   :precondition (and (shuts ?f) (standing ?a ?p) (spot ?f ?p) (not (ajar ?f)))
   :effect (ajar ?f))

 (:action close
   :parameters (?a - agent ?p - place ?f - furniture)
   :precondition (and (shuts ?f) (standing ?a ?p) (spot ?f ?p) (ajar ?f))
   :effect (not (ajar ?f)))

 (:action grab
   :parameters (?a - agent ?p - place ?t - thing ?f - furniture)
   :precondition (and (portable ?t) (standing ?a ?p) (spot ?f ?p) (within ?t ?f) (not (busy ?a))
                      (or (not (shuts ?f)) (ajar ?f)))
   :effect (and (not (within ?t ?f)) (carries ?a ?t) (busy ?a)))

 (:action leave
   :parameters (?a - agent ?p - place ?t - thing ?f - furniture ?k - tkind ?s - fkind)
   :precondition (and (carries ?a ?t) (standing ?a ?p) (spot ?f ?p) (or (not (shuts ?f)) (ajar ?f))
                      (tkindof ?t ?k) (fkindof ?f ?s) (suits ?s ?k))
   :effect (and (within ?t ?f) (not (carries ?a ?t)) (not (busy ?a))))

 (:action rinse
   :parameters (?a - agent ?p - place ?t - thing ?f - furniture)
   :precondition (and (washable ?t) (fkindof ?f sinkkind) (standing ?a ?p) (spot ?f ?p) (carries ?a ?t))
   :effect (rinsed ?t))

 (:action warm
   :parameters (?a - agent ?p - place ?t - thing ?f - furniture)
   :precondition (and (warmable ?t) (fkindof ?f microwavekind) (standing ?a ?p) (spot ?f ?p) (carries ?a ?t))
   :effect (and (warmed ?t) (not (chilled ?t))))

 (:action chill
   :parameters (?a - agent ?p - place ?t - thing ?f - furniture)
   :precondition (and (chillable ?t) (fkindof ?f fridgekind) (standing ?a ?p) (spot ?f ?p) (carries ?a ?t))
   :effect (and (chilled ?t) (not (warmed ?t))))

 (:action switch
   :parameters (?a - agent ?p - place ?t - thing ?f - furniture)
   :precondition (and (switchable ?t) (standing ?a ?p) (spot ?f ?p) (within ?t ?f) (not (lit ?t)))
   :effect (lit ?t))

 (:action inspect
   :parameters (?a - agent ?t - thing)
   :precondition (carries ?a ?t)
   :effect (noticed ?t))
)
