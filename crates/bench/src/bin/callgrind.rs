//! Instructions of one packet, one bulk segment, one life, counted by valgrind:
//! `callgrind [--n N] [--case INDEX] [--keep DIRECTORY]`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    synfin_bench::callgrind::run(std::env::args().skip(1))
}
