//! What was acknowledged is found at once, by id, by search and by name, while others send and live spans are sealed.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::compare::compare;
use super::generate::{BEGIN, sends};
use super::history::{TOTAL_BOUND, runtime};
use super::world::{Act, World};

const SENDERS: usize = 4;
/// Tenants that each sender sends for, one after the other, so that a plain list of a tenant's spans stays short.
const TENANTS: usize = 100;
const SENDS: usize = 25;

#[test]
fn ten_thousand_requests_are_each_found_at_their_acknowledgement() {
    let world = World::new(BEGIN, TOTAL_BOUND);
    let sending = AtomicUsize::new(SENDERS);
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (world, sending) = (&world, &sending);
            scope.spawn(move || {
                let done = Done(sending);
                (0..TENANTS).for_each(|tenant| send_and_ask(world.beside(), sender, tenant));
                drop(done);
            });
        }
        let mut sealer = world.beside();
        let runtime = runtime();
        while sending.load(Ordering::Acquire) > 0 {
            runtime.block_on(sealer.act(&Act::Seal)).unwrap();
            std::thread::yield_now();
        }
    });
}

/// Counts a sender off, also when it fails, so that nobody waits for it.
struct Done<'c>(&'c AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

fn send_and_ask(mut world: World, sender: usize, tenant: usize) {
    let runtime = runtime();
    let seed = (sender * TENANTS + tenant) as u64;
    for (number, step) in sends(seed, &format!("tenant-{seed}"), SENDS).iter().enumerate() {
        let answers = runtime.block_on(async {
            world.act(&step.act).await?;
            for ask in &step.asks {
                compare(&mut world, ask).await?;
            }
            Ok::<(), String>(())
        });
        answers.unwrap_or_else(|what| panic!("seed {seed}, request {number}: {:?}\n{what}", step.act));
    }
}
