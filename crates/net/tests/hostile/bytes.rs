//! Octets that pass for IP packets, or nearly so, at a stack with and without a listener.

use synfin_wire::text::Line;

use crate::run::seeds;
use crate::world::{World, repair};

#[test]
fn packets() {
    seeds("packets", 1000, |seed| {
        let mut w = World::new(seed);
        if seed.is_multiple_of(3) {
            w.listen();
        }
        for _ in 0..200 {
            let mut packet = match w.rng.below(4) {
                0 => {
                    let n = w.rng.upto(120);
                    let mut octets = w.rng.octets(n);
                    if let Some(first) = octets.first_mut() {
                        *first = w.rng.pick(&[0x45, 0x46, 0x4f, 0x60, 0x6f, *first]);
                    }
                    octets
                }
                _ => w.scrap(),
            };
            match w.rng.below(4) {
                0 => w.mutate(&mut packet),
                1 => repair(&mut packet),
                _ => {}
            }
            // Whatever it is, it can be shown.
            assert!(!Line(&packet).to_string().contains('\n'));
            let meta = w.meta();
            w.inject(&packet, meta);
            w.check();
        }
        w.finish();
    });
}
