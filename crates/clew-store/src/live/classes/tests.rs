use std::collections::HashMap;

use clew_model::{Kind, Notes, StatusCode};

use super::*;

#[test]
fn equal_classes_have_one_number_and_others_another() {
    let mut classes = Vec::new();
    let mut tables = Classes::new(RandomState::default());
    let mut known: HashMap<(u32, u32, u32, u32, bool), u32> = HashMap::new();
    // More pairs and families than are near, each twice and in different orders.
    for round in 0..2_u32 {
        for step in 0..300_u32 * 90 {
            let step = if round == 0 { step } else { (step * 7) % (300 * 90) };
            let (place, what) = (step / 90, step % 90);
            let (resource, scope, name, shape) = (place / 3, place % 3, what / 5, what % 5);
            let error = step % 2 == 0;
            let family = Class {
                resource: 0,
                scope: 0,
                name,
                shape,
                flags: 0x101,
                notes: Notes::default(),
                kind: Kind::Server,
                status: StatusCode::Unset,
                error,
            };
            let pair = tables.pair(resource, scope);
            let class = tables.class(&mut classes, pair, family);
            let number = *known.entry((resource, scope, name, shape, error)).or_insert(class);
            assert_eq!(class, number);
            assert_eq!(classes[class as usize], Class { resource, scope, ..family });
        }
    }
    assert_eq!(classes.len(), known.len());
    assert!(!tables.far.is_empty() && !tables.near.is_empty());
    assert!(tables.heap_bytes() > 256 * 64 * 4);
}
