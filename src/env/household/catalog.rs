//! What a household is made of: rooms, furniture, things, where things live, and how tasks are
//! worded.

use crate::text::plural;

/// A kind of furniture in a room: name, fewest, most, whether it shuts.
pub type Furniture = (&'static str, usize, usize, bool);

/// A room kind: its furniture and the things found in it.
#[derive(Debug)]
pub struct Room {
    /// Furniture it may have.
    pub furniture: &'static [Furniture],
    /// Names of the things it may hold.
    pub things: &'static [&'static str],
}

/// A kind of thing.
#[derive(Debug)]
pub struct Thing {
    /// Its name, one lower-case word.
    pub name: &'static str,
    /// Furniture it lives at, likeliest first: also the order in which a sensible person looks for
    /// it.
    pub homes: &'static [&'static str],
    /// What can be done to it: `w`ash, `h`eat, `c`hill.
    pub care: &'static str,
}

/// The rooms.
pub const ROOMS: [Room; 4] = [
    Room {
        furniture: &[
            ("counter", 1, 2, false),
            ("cupboard", 1, 3, true),
            ("drawer", 1, 2, true),
            ("fridge", 1, 1, true),
            ("microwave", 1, 1, true),
            ("sink", 1, 1, false),
            ("table", 1, 1, false),
            ("stove", 0, 1, false),
            ("bin", 0, 1, false),
        ],
        things: &[
            "mug", "cup", "plate", "bowl", "pan", "pot", "knife", "fork", "spoon", "spatula",
            "apple", "tomato", "potato", "egg", "bread", "lettuce",
        ],
    },
    Room {
        furniture: &[
            ("bed", 1, 1, false),
            ("desk", 1, 2, false),
            ("drawer", 1, 3, true),
            ("shelf", 1, 2, false),
            ("wardrobe", 0, 1, true),
            ("bin", 0, 1, false),
        ],
        things: &[
            "book", "pen", "pencil", "laptop", "phone", "watch", "key", "pillow", "clock", "card",
            "mug", "lamp",
        ],
    },
    Room {
        furniture: &[
            ("sink", 1, 1, false),
            ("bathtub", 0, 1, false),
            ("cupboard", 1, 3, true),
            ("shelf", 1, 2, false),
            ("rack", 1, 1, false),
            ("bin", 0, 1, false),
        ],
        things: &["soap", "towel", "cloth", "candle", "sponge", "brush", "bottle"],
    },
    Room {
        furniture: &[
            ("sofa", 1, 1, false),
            ("armchair", 0, 2, false),
            ("table", 1, 2, false),
            ("shelf", 1, 2, false),
            ("drawer", 1, 2, true),
            ("cabinet", 0, 1, true),
        ],
        things: &[
            "book", "magazine", "remote", "vase", "statue", "box", "pillow", "laptop", "key",
            "card", "lamp",
        ],
    },
];

const fn thing(name: &'static str, homes: &'static [&'static str], care: &'static str) -> Thing {
    Thing { name, homes, care }
}

/// The things.
pub const THINGS: [Thing; 39] = [
    thing("mug", &["counter", "table", "cupboard", "sink", "desk", "shelf"], "whc"),
    thing("cup", &["counter", "cupboard", "table", "sink"], "whc"),
    thing("plate", &["cupboard", "counter", "table", "sink"], "whc"),
    thing("bowl", &["cupboard", "counter", "table", "sink"], "wc"),
    thing("pan", &["stove", "counter", "cupboard", "sink"], "wc"),
    thing("pot", &["stove", "counter", "cupboard", "sink"], "wc"),
    thing("knife", &["drawer", "counter", "table", "sink"], "w"),
    thing("fork", &["drawer", "table", "counter", "sink"], "w"),
    thing("spoon", &["drawer", "table", "counter", "sink"], "w"),
    thing("spatula", &["drawer", "counter", "sink"], "w"),
    thing("apple", &["fridge", "counter", "table", "bin"], "whc"),
    thing("tomato", &["fridge", "counter", "table", "bin"], "whc"),
    thing("potato", &["counter", "fridge", "table", "bin"], "whc"),
    thing("egg", &["fridge", "counter", "table"], "whc"),
    thing("bread", &["counter", "table", "fridge"], "hc"),
    thing("lettuce", &["fridge", "counter", "table"], "wc"),
    thing("book", &["shelf", "desk", "bed", "table", "sofa", "drawer"], ""),
    thing("pen", &["desk", "drawer", "shelf", "bin"], ""),
    thing("pencil", &["desk", "drawer", "shelf", "bin"], ""),
    thing("laptop", &["desk", "bed", "sofa", "table", "armchair"], ""),
    thing("phone", &["bed", "desk", "drawer", "shelf"], ""),
    thing("watch", &["drawer", "desk", "shelf"], ""),
    thing("key", &["drawer", "desk", "table", "sofa", "shelf"], ""),
    thing("pillow", &["bed", "sofa", "armchair", "wardrobe"], ""),
    thing("clock", &["desk", "shelf"], ""),
    thing("card", &["drawer", "desk", "table", "shelf", "armchair"], ""),
    thing("soap", &["sink", "cupboard", "shelf", "bathtub", "bin"], "w"),
    thing("towel", &["rack", "shelf", "bathtub"], ""),
    thing("cloth", &["cupboard", "rack", "sink", "bathtub"], "w"),
    thing("candle", &["shelf", "cupboard", "bathtub"], ""),
    thing("sponge", &["sink", "cupboard", "shelf", "bin"], "w"),
    thing("brush", &["cupboard", "shelf", "sink", "bin"], "w"),
    thing("bottle", &["shelf", "cupboard", "sink", "bin"], "w"),
    thing("magazine", &["table", "sofa", "shelf", "armchair", "drawer"], ""),
    thing("remote", &["sofa", "table", "armchair", "drawer"], ""),
    thing("vase", &["shelf", "table", "cabinet"], ""),
    thing("statue", &["shelf", "table", "cabinet"], ""),
    thing("box", &["table", "sofa", "shelf", "cabinet"], ""),
    thing("lamp", &["desk", "table", "shelf"], ""),
];

/// The thing of that name.
pub fn find(name: &str) -> Option<&'static Thing> {
    THINGS.iter().find(|thing| thing.name == name)
}

/// The six kinds of task, with their wordings: `X` stands for the thing, `Y` for the furniture. The
/// last wording of each is held out: only the unseen split uses it.
pub const TASKS: [(&str, [&str; 3]); 6] = [
    ("place", ["put a X on the Y.", "bring a X to the Y.", "a X belongs on the Y."]),
    (
        "light",
        [
            "look at a X under the lamp.",
            "hold a X in the light of the lamp.",
            "examine a X by lamp light.",
        ],
    ),
    (
        "clean",
        [
            "put a clean X on the Y.",
            "wash a X and bring it to the Y.",
            "a freshly washed X belongs on the Y.",
        ],
    ),
    (
        "heat",
        [
            "put a warm X on the Y.",
            "warm a X and bring it to the Y.",
            "a heated X belongs on the Y.",
        ],
    ),
    (
        "cool",
        [
            "put a chilled X on the Y.",
            "chill a X and bring it to the Y.",
            "a cold X belongs on the Y.",
        ],
    ),
    ("two", ["put two Xs on the Y.", "bring two Xs to the Y.", "both Xs belong on the Y."]),
];

/// Furniture that things are put into, beside that which shuts.
const HOLLOW: [&str; 3] = ["bathtub", "bin", "sink"];

/// Whether things are in that furniture, and not on it.
fn is_hollow(furniture: &str) -> bool {
    let mut all = ROOMS.iter().flat_map(|room| room.furniture);
    HOLLOW.contains(&furniture) || all.any(|(name, _, _, shuts)| *shuts && *name == furniture)
}

/// A task in words.
pub fn worded(wording: &str, thing: &str, furniture: &str) -> String {
    let an = thing.starts_with(['a', 'e', 'i', 'o', 'u']);
    let wording = if is_hollow(furniture) {
        wording.replace(" on the Y", " in the Y")
    } else {
        wording.to_string()
    };
    let wording = if an { wording.replace("a X", "an X") } else { wording };
    wording.replace("Xs", &plural(thing)).replace('X', thing).replace('Y', furniture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_grammatical() {
        assert_eq!(
            worded("both Xs belong on the Y.", "brush", "shelf"),
            "both brushes belong on the shelf."
        );
        assert_eq!(
            worded("put two Xs on the Y.", "knife", "drawer"),
            "put two knives in the drawer."
        );
        assert_eq!(
            worded("warm a X and bring it to the Y.", "egg", "fridge"),
            "warm an egg and bring it to the fridge."
        );
        assert_eq!(
            worded("put a warm X on the Y.", "tomato", "sink"),
            "put a warm tomato in the sink."
        );
    }
}
