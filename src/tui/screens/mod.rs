//! The five screens: each has its state, its messages, its pure update and its drawing.

pub mod curate;
pub mod data;
pub mod explore;
pub mod explore_view;
pub mod replay;
pub mod train;
