//! Bytes there and back.

use super::super::codec::*;
use super::*;

fn any_entry() -> impl Strategy<Value = BlockEntry> {
    (any::<(u64, u8, u64, u64)>(), 0_u64..1 << 62, prop::collection::vec(any::<u64>(), 0..3)).prop_map(
        |((a, level, b, side_bytes), name, replaces)| {
            let mut entry = entry(1);
            entry.meta = BlockMeta {
                name: BlockName(name),
                level,
                log: a..b,
                row_count: a,
                data_bytes: b,
                replaces: replaces.into_iter().map(BlockName).collect(),
                ..entry.meta
            };
            BlockEntry { side_bytes, ..entry }
        },
    )
}

fn any_deletion() -> impl Strategy<Value = Deletion> {
    ("[a-z]{1,8}", any::<Option<[u8; 15]>>(), any::<u64>(), any::<u64>()).prop_map(|(tenant, id, through, at)| {
        let id = id.map(|id| {
            let mut bytes = [1; 16];
            bytes[1..].copy_from_slice(&id);
            TraceId(bytes)
        });
        Deletion {
            tenant: Tenant::new(&tenant).unwrap(),
            trace_id: id,
            through,
            below: BlockName(through >> 2),
            at_unix_nanos: at,
        }
    })
}

prop_compose! {
    fn any_settle_edit()(
        numbers in prop::collection::vec(any::<u64>(), 0..3),
        removed in prop::collection::vec(any::<u64>(), 0..3),
        watermark_unix_nanos in any::<Option<u64>>(),
        judge in any::<Option<Vec<u8>>>(),
        is_special in any::<bool>(),
    ) -> SettleEdit {
        let entry = |number| SettleEntry {
            number,
            bytes: number,
            first_sequence: number,
            record_count: 1,
            kept_count: 1,
            record_bytes: number,
            through_unix_nanos: number,
            minutes: (number, number),
            tenants: vec![Tenant::default()],
            is_special,
        };
        let reversed = removed
            .iter()
            .map(|through: &u64| Reversed {
                tenant: Tenant::default(),
                trace_id: TraceId([7; 16]),
                rule: "errors".to_owned(),
                through_unix_nanos: *through,
            })
            .collect();
        SettleEdit { added: numbers.into_iter().map(entry).collect(), removed, watermark_unix_nanos, judge, reversed }
    }
}

prop_compose! {
    fn any_pin()(id in any::<[u8; 16]>(), at_unix_nanos in any::<u64>(), note in any::<Option<String>>()) -> Pin {
        Pin { tenant: Tenant::default(), trace_id: TraceId(id), at_unix_nanos, note }
    }
}

prop_compose! {
    fn any_edit()(
        added in prop::collection::vec(any_entry(), 0..4),
        removed in prop::collection::vec(any::<u64>().prop_map(BlockName), 0..4),
        sealed_through in any::<Option<u64>>(),
        deletion in prop::option::of(any_deletion()),
        forgotten_deletions in prop::collection::vec(any_deletion(), 0..2),
        lost in prop::collection::vec((any::<String>(), any::<u64>()), 0..2),
        acknowledges_lost in any::<bool>(),
        settled in prop::option::of(any_settle_edit()),
        pinned in prop::collection::vec(any_pin(), 0..3),
        unpinned in prop::collection::vec(any_pin().prop_map(|pin| (pin.tenant, pin.trace_id)), 0..3),
    ) -> Edit {
        let lost = lost.into_iter().map(|(what, offset)| CatalogDamage { file: what.clone(), offset, what }).collect();
        Edit {
            added,
            removed,
            sealed_through,
            deletion,
            forgotten_deletions,
            lost,
            acknowledges_lost,
            settled,
            pinned,
            unpinned,
        }
    }
}

proptest! {
    #[test]
    fn edits_and_states_read_back(edit in any_edit(), offset in 0_usize..99, sequence in 1_u64..1 << 62) {
        let mut bytes = vec![0; offset];
        let text = payload(&edit);
        write_frame(&mut bytes, FrameKind::Edit, offset as u64, sequence, &text);
        let (header, read) = read_frame(&bytes, offset, sequence - 1).unwrap();
        prop_assert_eq!((header.kind, header.sequence, header.end(offset)), (FrameKind::Edit, sequence, bytes.len()));
        prop_assert_eq!(&serde_json::from_slice::<Edit>(read).unwrap(), &edit);
        prop_assert!(!text.windows(4).any(|window| window == FRAME_MAGIC), "no payload looks like a frame");
        // A stale one, and one that stands elsewhere, are none.
        prop_assert_eq!(read_frame(&bytes, offset, sequence), Err(CodecError::NoHeader));
        bytes.insert(0, 0);
        prop_assert_eq!(read_frame(&bytes, offset + 1, 0), Err(CodecError::NoHeader));

        let blocks = edit.added.into_iter().map(|entry| (entry.meta.name, entry)).collect();
        let (deletions, lost) = (edit.forgotten_deletions, edit.lost);
        let SettleEdit { added: files, watermark_unix_nanos, judge, reversed, .. } = edit.settled.unwrap_or_default();
        let settled = SettleState {
            files,
            watermark_unix_nanos: watermark_unix_nanos.unwrap_or(7),
            next_file: sequence,
            next_sequence: sequence,
            judge: judge.unwrap_or_default(),
            reversed,
        };
        let pinned = edit.pinned;
        let state = State { blocks, sealed_through: sequence, next_block: 1 << 62, deletions, lost, settled, pinned };
        prop_assert_eq!(serde_json::from_slice::<State>(&payload(&state)).unwrap(), state);
    }

    #[test]
    fn any_bytes_are_read_or_not_and_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        payload in prop::collection::vec(any::<u8>(), 0..60),
        kind in 0_u8..3,
        is_state in any::<bool>(),
    ) {
        let _ = (FileHeader::read(&bytes), read_frame(&bytes, 0, 0), has_later_frame(&bytes, 3, 0));
        // Whole frames with any payload, in a whole file.
        let disk = FaultyDisk::new(MemoryDisk::new());
        let path = folder().join(file_name(4));
        let mut file = Vec::new();
        let start = FILE_HEADER_BYTES as u64;
        let state = super::super::codec::payload(&State::default());
        write_frame(&mut file, FrameKind::State, start, 7, if is_state { &state } else { &payload });
        let kind = [FrameKind::State, FrameKind::Edit, FrameKind::Marker][usize::from(kind)];
        let second = start + file.len() as u64;
        write_frame(&mut file, kind, second, 8, &payload);
        let length = start + file.len() as u64;
        let mut out = disk.create(&path, 0).unwrap();
        out.write_at(0, &FileHeader { number: 4, length }.write()).unwrap();
        out.write_at(start, &file).unwrap();
        let found = recover(Path::new(DATA_DIR), &disk).unwrap();
        prop_assert_eq!(&found.state, &State::default());
        prop_assert!(!found.damage.is_empty(), "random bytes are no edit");
    }
}

#[test]
fn other_names_are_not_ours() {
    assert_eq!(file_number(&file_name(42)), Some(42));
    for other in [
        "42.edits",
        "next.tmp",
        "0000000000000000000x.edits",
        "99999999999999999999.edits",
        "18446744073709551615.edits",
    ] {
        assert_eq!(file_number(other), None, "{other}");
    }
}

#[test]
fn what_is_not_known_is_not_passed_over() {
    let mut state: serde_json::Value = serde_json::to_value(State::default()).unwrap();
    state["rollups"] = 1.into();
    assert!(serde_json::from_value::<State>(state).is_err());
    assert!(serde_json::from_str::<Edit>(r#"{"sealedThrough":3}"#).is_ok());
    assert!(serde_json::from_str::<Edit>(r#"{"sealedThrough":3,"rollups":[]}"#).is_err());
}

#[test]
fn the_bytes_are_those_of_the_document() {
    let header = FileHeader { number: 3, length: 8192 }.write();
    assert_eq!(header[..28], *b"clew cat\x02\0\0\0\x03\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0");
    let mut frame = Vec::new();
    write_frame(&mut frame, FrameKind::Edit, 32, 5, br#"{"sealedThrough":9}"#);
    assert_eq!(frame[..8], *b"\xffclE\x02\x02\0\0");
    assert_eq!(frame[16..40], *b"\x13\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0");
    assert_eq!(&frame[40..], br#"{"sealedThrough":9}"#);
    let edit = Edit { sealed_through: Some(9), ..Edit::default() };
    assert_eq!(payload(&edit), br#"{"sealedThrough":9}"#);
}
