//! A GGUF file, or all parts of one that was split.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::header::{Entry, Header};
use crate::error::{Error, Result};
use crate::model::matrix::Matrix;
use crate::paths;

/// At most so many parts; the largest models have some hundred.
const MOST: u64 = 1000;

/// The headers of a file's parts, the first one's settings those of all.
pub(super) struct Parts {
    all: Vec<(PathBuf, Header)>,
}

impl Parts {
    /// Reads the header of a file and, where it says that it is the first of several, of the others
    /// beside it.
    pub fn open(path: &Path) -> Result<Self> {
        let first = header(path)?;
        let number = |name: &str| first.integer(name).unwrap_or(0);
        let (no, count) = (number("split.no"), number("split.count"));
        if count <= 1 {
            return Ok(Self { all: vec![(path.to_path_buf(), first)] });
        }
        let odd = |what: String| Error::new(format!("{}: {what}", path.display()));
        if count > MOST {
            return Err(odd(format!("`split.count` of {count} is absurd"))
                .hint("the file is damaged; fetch it again"));
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ending = |no: u64| format!("-{:05}-of-{count:05}.gguf", no + 1);
        let stem = name.strip_suffix(&ending(no)).ok_or_else(|| {
            odd(format!("part {} of {count} is not called …{}", no + 1, ending(no)))
                .hint("give all parts the names back that they were split under")
        })?;
        let part = |no: u64| path.with_file_name(format!("{stem}{}", ending(no)));
        if no != 0 {
            return Err(odd(format!("this is part {} of {count}", no + 1))
                .hint(format!("name the first part: {}", part(0).display())));
        }
        let mut all = vec![(path.to_path_buf(), first)];
        for no in 1..count {
            let path = part(no);
            if !path.exists() {
                return Err(odd(format!("part {} of {count} is not beside it", no + 1))
                    .hint(format!("fetch {} as well", path.display())));
            }
            let header = header(&path)?;
            if header.integer("split.no") != Some(no) {
                return Err(Error::new(format!(
                    "{}: not part {} of {count}",
                    path.display(),
                    no + 1
                )));
            }
            all.push((path, header));
        }
        Ok(Self { all })
    }

    /// A header alone, whose tensors cannot be read.
    pub fn of(header: Header) -> Self {
        Self { all: vec![(PathBuf::new(), header)] }
    }

    /// The settings.
    pub fn settings(&self) -> &Header {
        &self.all[0].1
    }

    /// A tensor as it is described.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.all.iter().find_map(|(_, header)| header.tensors.get(name))
    }

    /// Refuses by name a tensor that is none of those.
    pub fn check_all_known(&self, names: &[(String, Vec<usize>)]) -> Result<()> {
        let known = |name: &str| {
            name == "rope_freqs.weight" || names.iter().any(|(known, _)| known == name)
        };
        let all = self.all.iter().flat_map(|(_, header)| header.tensors.keys());
        match all.filter(|name| !known(name)).min() {
            Some(name) => Err(Error::new(format!("tensor `{name}` has no place in such a model"))
                .hint(
                    "this program cannot run the model: what that tensor does is not known here",
                )),
            None => Ok(()),
        }
    }

    /// A tensor of that shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        let found = self.all.iter().find_map(|(path, header)| {
            header.tensors.get(name).map(|entry| (path, header.data, entry))
        });
        let (path, data, entry) = found.ok_or_else(|| {
            let first = self.all[0].0.display();
            Error::new(format!("{first}: tensor `{name}` is missing"))
                .hint("the file is damaged or of another kind; fetch it again")
        })?;
        let place = |e: Error| {
            e.at(path.display()).hint("the file is damaged or of another kind; fetch it again")
        };
        let io = |e: std::io::Error| Error::io("reading the model file", path, &e);
        let (rows, width) = if shape.len() == 1 { (1, shape[0]) } else { (shape[0], shape[1]) };
        if (entry.rows, entry.width) != (rows, width) {
            let found = [entry.rows, entry.width];
            return Err(place(Error::new(format!(
                "tensor `{name}` has shape {found:?}, expected {shape:?}"
            ))));
        }
        let mut file = BufReader::new(open(path)?);
        file.seek(SeekFrom::Start(data + entry.offset)).map_err(io)?;
        let mut raw = vec![0; entry.bytes().map_err(place)? as usize];
        file.read_exact(&mut raw).map_err(io)?;
        let matrix = entry.encoding.decode(&raw, width);
        matrix.map_err(|e| place(e.at(format!("tensor `{name}`"))))
    }
}

fn open(path: &Path) -> Result<File> {
    paths::regular(path).map_err(|e| Error::io("reading the model file", path, &e))
}

fn header(path: &Path) -> Result<Header> {
    let file = open(path)?;
    let size = file.metadata().map_err(|e| Error::io("reading the model file", path, &e))?.len();
    Header::read(BufReader::new(file), size).map_err(|e| {
        e.at(path.display()).hint("the file is damaged or of another kind; fetch it again")
    })
}
