use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

proptest! {
    #[test]
    fn behaves_like_a_sorted_set(ops in proptest::collection::vec((any::<bool>(), 0u16..4, 0u16..5, 0u16..5), 0..60)) {
        let mut set = FactSet::default();
        let mut model = BTreeSet::new();
        for (add, p, a, b) in ops {
            let fact = pack(p, &[a, b]);
            if add { set.add(fact); model.insert((p, a,
            b)); } else { set.remove(fact); model.remove(&(p, a, b)); }
        }
        for p in 0..4 {
            let want: Vec<_> = model.iter().filter(|f| f.0 == p).copied().collect();
            let got: Vec<_> = set.of(p, None).iter().map(|f| (pred_of(*f), arg(*f, 0), arg(*f,
            1))).collect();
            prop_assert_eq!(want, got);
            let want = model.iter().filter(|f| f.0 == p && f.1 == 3).count();
            prop_assert_eq!(want, set.of(p, Some(3)).len());
        }
    }
}
