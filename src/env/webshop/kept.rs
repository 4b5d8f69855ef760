//! A catalogue that is too large for memory, kept beside its files' index in one `SQLite` file:
//! products by their places, postings by term, the goals, and what is small enough as it stands in
//! memory. Made once (`foretaste env index`), then opened within seconds.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use lru::LruCache;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::de::DeserializeOwned;

use super::catalog::Product;
use super::goals::Goal;
use super::search::{Indexer, Postings};
use super::shop::identify;
use crate::budget;
use crate::digest::{self, Digest};
use crate::error::{Error, Result};
use crate::paths;

/// What the file is made of; another number is another way to keep it.
const FORMAT: &str = "1";

const SCHEMA: &str = "
    CREATE TABLE part (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE product (place INTEGER PRIMARY KEY, category TEXT NOT NULL, query TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE term (word TEXT PRIMARY KEY, documents INTEGER NOT NULL, postings BLOB NOT NULL);
";

/// Bytes of the file that are mapped into memory at most.
const MAPPED: i64 = 512 << 20;

/// Products that were read last and stay in memory.
const RECENT: usize = 4096;

/// Where products and postings are read.
pub struct Kept {
    rows: Mutex<Connection>,
    recent: Mutex<LruCache<u32, Arc<Product>>>,
    /// The numbers of all products one after the other, and where each ends.
    asins: (String, Vec<u32>),
    /// Places in the order of their numbers.
    by_asin: Vec<u32>,
    at: PathBuf,
}

/// All that an index says beside products and postings.
pub struct Rest {
    /// What each product costs.
    pub prices: Vec<f64>,
    /// What lengths take of counts.
    pub norms: Vec<f32>,
    /// What customers want, and the department of each; none where no file says so.
    pub goals: Vec<(Goal, String)>,
    /// Of all that is sold.
    pub identity: u64,
}

/// Where the index of some files is kept, which changes when they do.
pub fn place(files: &[PathBuf]) -> Result<PathBuf> {
    let mut digest = Digest::default();
    digest.add(FORMAT.as_bytes());
    for path in files {
        let failed = |e| Error::io("reading", path, &e);
        let path = std::fs::canonicalize(path).map_err(failed)?;
        let about = std::fs::metadata(&path).map_err(failed)?;
        let written = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        digest.add(path.as_os_str().as_encoded_bytes());
        digest.add(&about.len().to_le_bytes());
        digest.add(&written.map_or(0, |at| at.as_nanos()).to_le_bytes());
    }
    Ok(paths::cache_dir()?.join(format!("webshop-{}.sqlite", digest::hex(digest.finish()))))
}

/// What is to be done about an index that cannot be read.
const ANEW: &str = "make the index anew: foretaste env index --suite webshop --data DIR";

fn failed(at: &Path) -> impl Fn(rusqlite::Error) -> Error + '_ {
    move |e| Error::new(format!("{}: {e}", at.display())).hint(ANEW)
}

/// Makes an index: there whole, or not at all.
pub struct Maker {
    rows: Connection,
    indexer: Indexer,
    asins: (String, Vec<u32>),
    digest: Digest,
    file: tempfile::NamedTempFile,
    at: PathBuf,
}

impl Maker {
    /// Of a file that will be there.
    pub fn new(at: &Path) -> Result<Self> {
        let folder = at.parent().unwrap_or(Path::new("."));
        let io = |e| Error::io("writing", folder, &e);
        paths::create_private(folder).map_err(io)?;
        paths::sweep_temporary(folder);
        let file = paths::temporary().tempfile_in(folder).map_err(io)?;
        let rows = Connection::open(file.path()).map_err(failed(at))?;
        // It is not there before it is whole.
        rows.execute_batch("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN")
            .and_then(|()| rows.execute_batch(SCHEMA))
            .map_err(failed(at))?;
        let (indexer, digest) = (Indexer::default(), Digest::default());
        let asins = (String::new(), Vec::new());
        Ok(Self { rows, indexer, asins, digest, file, at: at.to_path_buf() })
    }

    /// The next product and what it costs.
    pub fn add(&mut self, product: &Product, price: f64) -> Result<()> {
        let number = self.asins.1.len();
        if number.is_multiple_of(64) {
            budget::cancel().check()?;
        }
        let body = serde_json::to_string(product)
            .map_err(|e| Error::new(format!("{}: {e}", product.asin)))?;
        identify(&mut self.digest, product, price);
        self.rows
            .prepare_cached("INSERT INTO product VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut row| {
                row.execute(params![number as i64, product.category, product.query, body])
            })
            .map_err(failed(&self.at))?;
        self.indexer.add(&product.document());
        self.asins.0.push_str(&product.asin);
        self.asins.1.push(self.asins.0.len() as u32);
        Ok(())
    }

    /// Puts the whole of it in its place.
    pub fn finish(self, prices: &[f64], goals: &[(&Goal, &str)]) -> Result<()> {
        let Self { rows, indexer, asins, digest, file, at } = self;
        let (postings, norms) = indexer.finish();
        let mut sorted: Vec<(&String, &Postings)> = postings.iter().collect();
        sorted.sort_unstable_by_key(|(word, _)| *word);
        for (word, found) in sorted {
            rows.prepare_cached("INSERT INTO term VALUES (?1, ?2, ?3)")
                .and_then(|mut row| row.execute(params![word, found.documents, found.bytes]))
                .map_err(failed(&at))?;
        }
        let goals = serde_json::to_vec(goals).map_err(|e| Error::new(format!("goals: {e}")))?;
        let bytes = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let parts: [(&str, Vec<u8>); 6] = [
            ("asins", asins.0.into_bytes()),
            ("ends", bytes(&asins.1)),
            ("norms", norms.iter().flat_map(|norm| norm.to_le_bytes()).collect()),
            ("prices", prices.iter().flat_map(|price| price.to_le_bytes()).collect()),
            ("goals", goals),
            ("identity", digest.finish().to_le_bytes().to_vec()),
        ];
        for (name, value) in parts {
            rows.execute("INSERT INTO part VALUES (?1, ?2)", params![name, value])
                .map_err(failed(&at))?;
        }
        rows.execute_batch(
            "CREATE INDEX by_category ON product (category); CREATE INDEX by_query ON product (query); COMMIT",
        )
        .map_err(failed(&at))?;
        rows.close().map_err(|(_, e)| failed(&at)(e))?;
        let put = |e| Error::io("writing", &at, &e);
        file.as_file().sync_all().map_err(put)?;
        file.persist(&at).map_err(|e| put(e.error))?;
        paths::sync_folder(at.parent().unwrap_or(Path::new(".")));
        Ok(())
    }
}

impl Kept {
    /// Opens an index.
    pub fn open(at: &Path) -> Result<(Self, Rest)> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let rows = Connection::open_with_flags(at, flags).map_err(failed(at))?;
        rows.pragma_update(None, "mmap_size", MAPPED).map_err(failed(at))?;
        let part = |name: &str| -> Result<Vec<u8>> {
            rows.query_row("SELECT value FROM part WHERE name = ?1", [name], |row| row.get(0))
                .map_err(failed(at))
        };
        let broken = || Error::new(format!("{}: damaged", at.display())).hint(ANEW);
        let ends: Vec<u32> = numbers(&part("ends")?, u32::from_le_bytes);
        let asins = (String::from_utf8(part("asins")?).map_err(|_| broken())?, ends);
        let prices: Vec<f64> = numbers(&part("prices")?, f64::from_le_bytes);
        let norms: Vec<f32> = numbers(&part("norms")?, f32::from_le_bytes);
        let identity = numbers(&part("identity")?, u64::from_le_bytes);
        let goals = serde_json::from_slice(&part("goals")?).map_err(|_| broken())?;
        let [identity] = identity[..] else { return Err(broken()) };
        if prices.len() != asins.1.len() || norms.len() != asins.1.len() {
            return Err(broken());
        }
        let recent =
            Mutex::new(LruCache::new(NonZeroUsize::new(RECENT).unwrap_or(NonZeroUsize::MIN)));
        let mut kept = Self {
            rows: Mutex::new(rows),
            recent,
            asins,
            by_asin: Vec::new(),
            at: at.to_path_buf(),
        };
        let mut by_asin: Vec<u32> = (0..kept.len() as u32).collect();
        by_asin.sort_unstable_by(|a, b| kept.asin(*a).cmp(kept.asin(*b)));
        kept.by_asin = by_asin;
        Ok((kept, Rest { prices, norms, goals, identity }))
    }

    /// How many products there are.
    pub fn len(&self) -> usize {
        self.asins.1.len()
    }

    /// The number of a product; empty where there is none.
    pub fn asin(&self, place: u32) -> &str {
        let end = |place: usize| self.asins.1.get(place).map(|end| *end as usize);
        let place = place as usize;
        let from = place.checked_sub(1).map_or(Some(0), end);
        let range = from.zip(end(place)).map(|(from, to)| from..to);
        range.and_then(|range| self.asins.0.get(range)).unwrap_or_default()
    }

    /// Where the product of a number stands.
    pub fn place(&self, asin: &str) -> Option<u32> {
        let found = self.by_asin.binary_search_by(|place| self.asin(*place).cmp(asin)).ok()?;
        self.by_asin.get(found).copied()
    }

    fn ask<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&rows).map_err(failed(&self.at))
    }

    /// A product.
    pub fn product(&self, place: u32) -> Result<Arc<Product>> {
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = recent().get(&place) {
            return Ok(known.clone());
        }
        let body: String = self.ask(|rows| {
            let mut row = rows.prepare_cached("SELECT body FROM product WHERE place = ?1")?;
            row.query_row([place], |row| row.get(0))
        })?;
        let product: Arc<Product> = Arc::new(parsed(&self.at, &body)?);
        recent().put(place, product.clone());
        Ok(product)
    }

    /// The documents of a term.
    pub fn postings(&self, term: &str) -> Result<Option<Postings>> {
        self.ask(|rows| {
            let mut row =
                rows.prepare_cached("SELECT documents, postings FROM term WHERE word = ?1")?;
            row.query_row([term], |row| Ok(Postings::kept(row.get(0)?, row.get(1)?))).optional()
        })
    }

    /// Places of the products whose category, or query, is exactly this.
    pub fn with(&self, field: Field, text: &str) -> Result<Vec<u32>> {
        let ask = match field {
            Field::Category => "SELECT place FROM product WHERE category = ?1 ORDER BY place",
            Field::Query => "SELECT place FROM product WHERE query = ?1 ORDER BY place",
        };
        self.ask(|rows| {
            let mut rows = rows.prepare_cached(ask)?;
            rows.query_map([text], |row| row.get(0))?.collect()
        })
    }
}

/// What products can be asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The department.
    Category,
    /// The search that found it.
    Query,
}

fn parsed<T: DeserializeOwned>(at: &Path, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::new(format!("{}: {e}", at.display())))
}

fn numbers<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| read(*bytes)).collect()
}
