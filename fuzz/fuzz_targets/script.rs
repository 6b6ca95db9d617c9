#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| synfin_fuzzers::script::run(data));
