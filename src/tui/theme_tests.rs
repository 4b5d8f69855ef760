use super::*;

#[test]
fn fitting_counts_cells_not_bytes() {
    assert_eq!(fit("日本語テキスト", 7), "日本語…");
    assert_eq!(fit("short", 5), "short");
    assert_eq!(fit("x", 0), "");
    assert!((ratio(f64::NAN, 1.0), ratio(1.0, 0.0)) == (0.0, 0.0));
}

/// Red, green and blue of one of the 240 colours that are the same on every terminal.
fn fixed(index: u8) -> [u8; 3] {
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match index {
        232.. => [8 + 10 * (index - 232); 3],
        _ => [(index - 16) / 36, (index - 16) / 6 % 6, (index - 16) % 6].map(level),
    }
}

/// How much lighter one colour is than another (WCAG 2, 1.4.3).
fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
    let light = |rgb: [u8; 3]| {
        let linear = rgb.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05
    };
    let (a, b) = (light(a), light(b));
    a.max(b) / a.min(b)
}

const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];
const SOLARIZED_DARK: [u8; 3] = [0x00, 0x2b, 0x36];
const SOLARIZED_LIGHT: [u8; 3] = [0xfd, 0xf6, 0xe3];

#[test]
fn every_colour_can_be_read_on_the_backgrounds_that_its_theme_is_for() {
    let ordinary =
        [Color::Red, Color::Green, Color::Blue, Color::Magenta, Color::Cyan, Color::Reset];
    for palette in Palette::ALL {
        let behind = match palette {
            Palette::Light => [WHITE, SOLARIZED_LIGHT],
            _ => [BLACK, SOLARIZED_DARK],
        };
        for (role, colour) in palette.colours().into_iter().enumerate() {
            let Color::Indexed(index) = colour else {
                assert!(ordinary.contains(&colour), "{palette:?} {role}: {colour:?} may be unseen");
                continue;
            };
            // Frames are seen, not read.
            let least = if role == 5 { 3.0 } else { 4.0 };
            for behind in behind {
                let found = contrast(fixed(index), behind);
                assert!(found >= least, "{palette:?} {role} on {behind:?}: {found:.2}");
            }
        }
    }
}

#[test]
fn the_default_is_read_also_on_a_light_background() {
    for role in [0, 5] {
        let Color::Indexed(index) = Palette::default().colours()[role] else {
            panic!("a grey of the 256")
        };
        assert!(contrast(fixed(index), WHITE) >= 3.0);
    }
}
