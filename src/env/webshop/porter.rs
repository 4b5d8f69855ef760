//! Porter's stemmer as its author's own C program has it, which is what Lucene follows: words of one
//! or two letters stay, `bli` becomes `ble`, and `logi` becomes `log`.

/// The stem of a word in lower case. Words with other letters than `a` to `z` count those as
/// consonants.
pub fn stem(word: &str) -> String {
    let mut stemmer = Stemmer { word: word.chars().collect(), stem: 0 };
    if stemmer.word.len() > 2 {
        stemmer.plurals();
        stemmer.terminal_y();
        stemmer.double_suffixes();
        stemmer.full_and_ness();
        stemmer.ant_and_ence();
        stemmer.last_e();
    }
    stemmer.word.into_iter().collect()
}

struct Stemmer {
    word: Vec<char>,
    /// Letters before the suffix that was found last.
    stem: usize,
}

impl Stemmer {
    fn is_consonant(&self, at: usize) -> bool {
        match self.word[at] {
            'a' | 'e' | 'i' | 'o' | 'u' => false,
            'y' => at == 0 || !self.is_consonant(at - 1),
            _ => true,
        }
    }

    /// How often a consonant follows a vowel in the first letters.
    fn measure(&self, letters: usize) -> usize {
        (1..letters).filter(|at| self.is_consonant(*at) && !self.is_consonant(at - 1)).count()
    }

    fn has_vowel(&self, letters: usize) -> bool {
        (0..letters).any(|at| !self.is_consonant(at))
    }

    fn ends_double(&self, letters: usize) -> bool {
        letters >= 2
            && self.word[letters - 1] == self.word[letters - 2]
            && self.is_consonant(letters - 1)
    }

    /// Consonant, vowel, consonant at the end of the first letters, the last not `w`, `x` or `y`:
    /// such a stem gets its `e` back.
    fn is_short(&self, letters: usize) -> bool {
        letters >= 3
            && self.is_consonant(letters - 1)
            && !self.is_consonant(letters - 2)
            && self.is_consonant(letters - 3)
            && !['w', 'x', 'y'].contains(&self.word[letters - 1])
    }

    fn ends(&mut self, suffix: &str) -> bool {
        let length = suffix.len(); // of ASCII letters
        let found = self.word.len() >= length
            && self.word[self.word.len() - length..].iter().copied().eq(suffix.chars());
        if found {
            self.stem = self.word.len() - length;
        }
        found
    }

    fn set(&mut self, suffix: &str) {
        self.word.truncate(self.stem);
        self.word.extend(suffix.chars());
    }

    /// `caresses`, `ponies`, `cats`; `agreed`, `plastered`, `motoring`.
    fn plurals(&mut self) {
        if self.word.last() == Some(&'s') {
            if self.ends("sses") || self.ends("ies") {
                let suffix = if self.word[self.stem] == 's' { "ss" } else { "i" };
                self.set(suffix);
            } else if self.word.len() >= 2 && self.word[self.word.len() - 2] != 's' {
                self.word.pop();
            }
        }
        if self.ends("eed") {
            if self.measure(self.stem) > 0 {
                self.word.pop();
            }
        } else if (self.ends("ed") || self.ends("ing")) && self.has_vowel(self.stem) {
            self.word.truncate(self.stem);
            if self.ends("at") || self.ends("bl") || self.ends("iz") {
                self.word.push('e');
            } else if self.ends_double(self.word.len()) {
                if !self.word.last().is_some_and(|last| ['l', 's', 'z'].contains(last)) {
                    self.word.pop();
                }
            } else if self.measure(self.word.len()) == 1 && self.is_short(self.word.len()) {
                self.word.push('e');
            }
        }
    }

    fn terminal_y(&mut self) {
        if self.ends("y") && self.has_vowel(self.stem) {
            self.set("i");
        }
    }

    /// Takes the first of some suffixes that is there, if what stands before it is long enough.
    fn replace(&mut self, suffixes: &[(&str, &str)]) {
        if let Some((_, by)) = suffixes.iter().find(|(suffix, _)| self.ends(suffix))
            && self.measure(self.stem) > 0
        {
            self.set(by);
        }
    }

    fn double_suffixes(&mut self) {
        self.replace(&[
            ("ational", "ate"),
            ("tional", "tion"),
            ("enci", "ence"),
            ("anci", "ance"),
            ("izer", "ize"),
            ("bli", "ble"),
            ("alli", "al"),
            ("entli", "ent"),
            ("eli", "e"),
            ("ousli", "ous"),
            ("ization", "ize"),
            ("ation", "ate"),
            ("ator", "ate"),
            ("alism", "al"),
            ("iveness", "ive"),
            ("fulness", "ful"),
            ("ousness", "ous"),
            ("aliti", "al"),
            ("iviti", "ive"),
            ("biliti", "ble"),
            ("logi", "log"),
        ]);
    }

    fn full_and_ness(&mut self) {
        self.replace(&[
            ("icate", "ic"),
            ("ative", ""),
            ("alize", "al"),
            ("iciti", "ic"),
            ("ical", "ic"),
            ("ful", ""),
            ("ness", ""),
        ]);
    }

    fn ant_and_ence(&mut self) {
        const SUFFIXES: [&str; 18] = [
            "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ou",
            "ism", "ate", "iti", "ous", "ive", "ize",
        ];
        let ion = |stemmer: &mut Self| {
            stemmer.ends("ion")
                && stemmer.stem > 0
                && ['s', 't'].contains(&stemmer.word[stemmer.stem - 1])
        };
        let found = SUFFIXES.iter().any(|suffix| self.ends(suffix)) || ion(self);
        if found && self.measure(self.stem) > 1 {
            self.word.truncate(self.stem);
        }
    }

    fn last_e(&mut self) {
        if self.word.last() == Some(&'e') {
            let before = self.word.len() - 1;
            let measure = self.measure(before);
            if measure > 1 || (measure == 1 && !self.is_short(before)) {
                self.word.pop();
            }
        }
        let length = self.word.len();
        if self.word.last() == Some(&'l') && self.ends_double(length) && self.measure(length) > 1 {
            self.word.pop();
        }
    }
}
