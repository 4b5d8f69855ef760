//! Fuzzes the target `import` of `tests/fuzz/grow`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| foretaste_fuzz::grow::both("import", bytes));
