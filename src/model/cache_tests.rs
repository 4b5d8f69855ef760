use super::*;

fn chain(config: &Config, above: Option<Above>, tokens: &[u32]) -> Arc<Segment> {
    let mut cache = Cache::new(config, above);
    let parents: Vec<Option<usize>> = (0..tokens.len()).map(|i| i.checked_sub(1)).collect();
    assert!(cache.add(tokens, &parents));
    let lines =
        |_: usize| tokens.iter().flat_map(|token| vec![*token as f32; config.head_dim]).collect();
    cache.rows.keys.iter_mut().enumerate().for_each(|(i, rows)| *rows = lines(i));
    Arc::new(cache.freeze())
}

#[test]
fn prompts_share_what_they_have_in_common_and_the_oldest_go_first() {
    let config = Config::small(1, 32, 10).unwrap();
    let long: Vec<u32> = (0..300).collect();
    let with = |kept: usize, more: &[u32]| [&long[..kept], more].concat();
    let first = chain(&config, None, &long);
    let mut recent = PromptCache::new(usize::MAX);
    recent.keep(Arc::clone(&first), vec![0.5]);
    let (place, same, logits) = recent.find(&with(298, &[9]));
    assert_eq!((same, logits), (298, None));
    let second = chain(&config, place, &[9, 8]);
    assert_eq!((second.depth(), second.len()), (298, 300));
    recent.keep(Arc::clone(&second), vec![1.5]);
    assert_eq!(recent.find(&with(298, &[9, 8])).2, Some(vec![1.5]), "the whole prompt is known");
    assert_eq!(recent.find(&long).2, Some(vec![0.5]));
    assert_eq!(recent.find(&with(298, &[9, 7])).1, 299);
    assert_eq!(recent.find(&[7]).1, 0);
    let both = recent.bytes();
    assert_eq!(both, first.bytes() + second.bytes(), "shared tokens are held once");
    recent.limit = both - 1;
    recent.keep(chain(&config, None, &[6]), vec![]);
    assert_eq!(recent.find(&long).2, None);
}

#[test]
fn short_segments_are_joined_and_hold_what_they_held() {
    let config = Config::small(1, 32, 10).unwrap();
    let first = chain(&config, None, &[1, 2, 3, 4]);
    let second = chain(&config, Some((Arc::clone(&first), 3)), &[9, 8]);
    assert_eq!((second.depth(), second.len()), (0, 5));
    let found = second.common(&[1, 2, 3, 9, 8, 7]);
    assert_eq!((found.0.map(|(_, used)| used), found.1), (Some(5), 5));
    let dim = config.head_dim;
    assert_eq!(second.rows.keys[0].len(), 5 * dim);
    assert_eq!(second.rows.keys[0][..3 * dim], first.rows.keys[0][..3 * dim]);
}

#[test]
fn nodes_see_their_own_path_only() {
    let config = Config::small(1, 32, 10).unwrap();
    let mut cache = Cache::new(&config, Some((chain(&config, None, &[1, 2, 3]), 2)));
    assert!(cache.add(&[5, 6, 7], &[None, Some(0), Some(0)]));
    assert!(cache.add(&[8], &[Some(2)]));
    assert_eq!(format!("{:?} {:?}", cache.seen(1), cache.seen(3)), "[0..2] [0..1, 2..4]");
    assert_eq!((0..4).map(|node| cache.position(node)).collect::<Vec<_>>(), [2, 3, 3, 4]);
    assert!(!cache.add(&[1], &[Some(9)]), "a parent that is not there");
}
