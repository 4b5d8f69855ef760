//! What `foretaste env` has for the shop alone.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::env::GameArgs;
use super::{Common, interruptible};
use crate::control::Meter;
use crate::env::{Opened, Suite, webshop};
use crate::error::{Error, Result};

/// What of the shop is taken from files of its own.
#[derive(Debug, Args)]
pub struct ShopArgs {
    /// Of webshop: goals from this file, a line each; --task N is line N, counted from 0
    #[arg(long, value_name = "FILE")]
    goals: Option<PathBuf>,
    /// Of webshop: what each product costs, a JSON object by number
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl ShopArgs {
    /// The game, in a shop of these files if there are any.
    pub fn open(&self, game: &GameArgs) -> Result<Opened> {
        let (goals, prices) = (self.goals.as_deref(), self.prices.as_deref());
        if goals.is_none() && prices.is_none() {
            return game.open();
        }
        let (true, Some(task)) = (game.suite.suite == webshop::NAME, &game.task) else {
            return Err(Error::usage("--goals and --prices are of a task of webshop")
                .hint("--suite webshop --task N"));
        };
        let shop = webshop::WebShop::with(game.suite.data.as_deref(), goals, prices)?;
        let opened = shop.open(task)?;
        Ok(game.suite.limit(opened))
    }
}

/// Which catalogue.
#[derive(Debug, Args)]
pub struct IndexArgs {
    /// The suite
    #[arg(long, default_value = webshop::NAME, value_parser = [webshop::NAME])]
    suite: String,
    /// The folder with its files: items_shuffle*.json, items_ins_v2*.json, items_human_ins*.json
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Makes an index, and says where it is.
pub fn index(common: &Common, args: &IndexArgs) -> Result<()> {
    let out = common.out();
    let mut live = common.out();
    let _control = interruptible()?;
    let (mut meter, mut last) = (None, 0);
    let at = webshop::index_of(&args.data)?;
    let products = webshop::index(&args.data, &at, &mut |read, all| {
        let megabytes = |bytes: u64| bytes >> 20;
        let meter = meter.get_or_insert_with(|| Meter::new("megabytes read", 0, megabytes(all)));
        if megabytes(read) != last {
            last = megabytes(read);
            live.progress(&meter.at(last));
        }
    })?;
    let size = std::fs::metadata(&at).map(|about| about.len()).unwrap_or_default();
    out.line(&json!({"index": at, "products": products, "bytes": size}), || {
        let size = size >> 20;
        format!(
            "{products} products are indexed in {} ({size} MB); --data opens it from now on",
            at.display()
        )
    });
    Ok(())
}
