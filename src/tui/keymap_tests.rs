use super::*;
use crate::tui::screens::{self, explore};

#[test]
fn every_key_of_the_table_is_readable_and_means_one_thing_on_a_screen() {
    let mut map = Keymap::default();
    map.reindex(&HashMap::new()).unwrap();
    for entry in &map.entries {
        for key in entry.keys.split(' ') {
            let chord = Chord::parse(key).unwrap_or_else(|| panic!("{key}"));
            let screen = entry.binding.screen.unwrap_or(Screen::Data);
            let act = map.lookup(screen, KeyEvent::new(chord.0, chord.1)).unwrap();
            let digit = key.parse().ok().filter(|_| entry.binding.key.keys.contains("1 2 3"));
            let meant = match (entry.binding.key.act, digit) {
                (Act::Own(act), Some(n)) => Act::Own(act.numbered(n).unwrap()),
                (act, _) => act,
            };
            assert_eq!(act, meant, "{key}");
        }
    }
}

#[test]
fn a_persons_own_keys_count_and_what_cannot_be_is_refused_with_its_line() {
    let map = Keymap::with("[explore]\nmore = [\"m\", \"ctrl-k\"]\n").unwrap();
    let press = |map: &Keymap, c| map.lookup(Screen::Explore, KeyEvent::from(KeyCode::Char(c)));
    assert_eq!(
        (press(&map, 'm'), press(&map, 's')),
        (Some(Act::Own(screens::Act::Explore(explore::Act::More))), None)
    );
    for (text, part) in [
        ("[explore]\n\nmore = \"u\"", "line 3: `more` and `back` of [explore] share a key"),
        ("[explore]\nmoer = \"u\"", "line 2: there is no `moer`"),
        ("[explore]\nmore = \"hyper-u\"", "line 2: `hyper-u` is no key"),
        ("[explore]\nmore = 3", "line 2"),
        ("[everywhere]\nquit = []", "line 2: no key is left"),
    ] {
        let error = Keymap::with(text).unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    assert!(Keymap::with("[explore").is_err());
}
