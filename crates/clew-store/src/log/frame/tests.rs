use clew_model::{RejectReason, Tenant};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing;

fn place() -> impl Strategy<Value = Place> {
    (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(position, sequence, synced)| Place {
        position,
        sequence,
        synced,
    })
}

fn rejected() -> impl Strategy<Value = Vec<(u32, RejectReason)>> {
    vec((0..3000_u32, 0..RejectReason::ALL.len()), 0..20).prop_map(|mut drawn| {
        drawn.sort_unstable();
        drawn.dedup_by_key(|(ordinal, _)| *ordinal);
        drawn.into_iter().map(|(ordinal, reason)| (ordinal, RejectReason::ALL[reason])).collect()
    })
}

fn any_batch() -> impl Strategy<Value = Batch> {
    let names =
        vec("[a-z0-9_-]{1,64}", 1..4).prop_map(|names| names.iter().map(|name| Tenant::new(name).unwrap()).collect());
    let tenants = (names, vec(0..4_u16, 0..9)).prop_map(|(names, of_group)| Tenants { names, of_group });
    let limits = any::<[u32; 5]>();
    let numbers = (any::<u64>(), any::<u128>(), any::<u32>(), any::<(u32, u32, u64)>());
    (vec(any::<u8>(), 0..400), tenants, rejected(), limits, numbers, 0..3_u8, any::<bool>()).prop_map(
        |(body, tenants, rejected, limits, (received_unix_nanos, body_hash, span_count, source), encoding, json)| {
            let mut batch =
                testing::encoded(0, &[], [Encoding::Identity, Encoding::Gzip, Encoding::Zstd][usize::from(encoding)]);
            let [value_bytes, attributes, events, links, depth] = limits;
            let body = Bytes::from(body);
            batch.stored = match batch.encoding {
                Encoding::Identity => body.clone(),
                Encoding::Zstd => zstd::encode_all(&body[..], 1).unwrap().into(),
                Encoding::Gzip => {
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    std::io::Write::write_all(&mut encoder, &body).unwrap();
                    encoder.finish().unwrap().into()
                }
            };
            Batch {
                body,
                tenants,
                rejected,
                received_unix_nanos,
                body_hash,
                span_count,
                limits: Limits { value_bytes, attributes, events, links, depth },
                protocol: if json { Protocol::OtlpJson } else { Protocol::Otlp },
                source: Source { topic_epoch: source.0, partition: source.1, offset: source.2 },
                ..batch
            }
        },
    )
}

/// What a reader makes of bytes: the place and the batch.
fn read(bytes: &[u8]) -> Result<(Place, Option<Batch>), FrameError> {
    let header = Header::read(bytes)?;
    let (head, rest) = bytes.split_at(header.header_bytes as usize);
    let body = rest.get(..header.body_bytes as usize).ok_or(FrameError::BodyDamaged)?;
    if !header.fits(body) {
        return Err(FrameError::BodyDamaged);
    }
    let batch = (header.kind == FrameKind::Batch).then(|| BatchHeader::read(head)).transpose()?;
    let body = Bytes::copy_from_slice(body);
    Ok((header.place, batch.map(|batch| batch.into_batch(body).expect("what was compressed here"))))
}

fn write(place: Place, batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_batch(&mut bytes, place, batch);
    assert_eq!(Some(bytes.len() as u64), batch_bytes(batch));
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(place in place(), batch in any_batch()) {
        let (found, read) = read(&write(place, &batch)).unwrap();
        prop_assert_eq!(found, place);
        prop_assert_eq!(format!("{:?}", read.unwrap()), format!("{batch:?}"));
    }

    #[test]
    fn a_flipped_bit_is_noticed(batch in any_batch(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = write(Place { position: 9, sequence: 2, synced: 3 }, &batch);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn a_cut_is_noticed(batch in any_batch(), at in any::<prop::sample::Index>()) {
        let bytes = write(Place { position: 9, sequence: 2, synced: 3 }, &batch);
        prop_assert!(read(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(mut bytes in vec(any::<u8>(), 0..300), pretend in any::<bool>()) {
        if pretend && bytes.len() > 160 {
            // A whole header around arbitrary fields.
            bytes[..4].copy_from_slice(&MAGIC);
            bytes[4..6].copy_from_slice(&[VERSION, 1]);
            bytes[8..12].copy_from_slice(&160_u32.to_le_bytes());
            let crc = header_crc(&bytes[..160]);
            bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
            let header = Header::read(&bytes);
            prop_assert!(header.is_ok());
            if let Ok(header) = BatchHeader::read(&bytes[..160]) {
                let _ = header.into_batch(Bytes::copy_from_slice(&bytes[160..]));
            }
        }
        let _ = Header::read(&bytes);
        let _ = BatchHeader::read(&bytes);
    }
}

#[test]
fn a_newer_version_is_refused_by_name_and_only_when_its_checksum_matches() {
    let mut bytes = write(Place { position: 0, sequence: 1, synced: 0 }, &testing::batch(1, 1));
    bytes[4] = 2;
    assert_eq!(Header::read(&bytes), Err(FrameError::HeaderDamaged));
    finish_again(&mut bytes);
    assert_eq!(Header::read(&bytes), Err(FrameError::Newer(2)));
}

#[test]
fn a_body_that_grows_beyond_its_header_is_not_decompressed_to_the_end() {
    let bomb = zstd::encode_all(&vec![0; 1 << 20][..], 1).unwrap();
    let mut batch = testing::encoded(1, &[], Encoding::Zstd);
    batch.stored = bomb.into();
    batch.body = Bytes::from_static(b"short");
    let bytes = write(Place { position: 0, sequence: 1, synced: 0 }, &batch);
    let header = Header::read(&bytes).unwrap();
    let (head, body) = bytes.split_at(header.header_bytes as usize);
    let read = BatchHeader::read(head).unwrap().into_batch(Bytes::copy_from_slice(body));
    assert!(read.is_err());
}

/// Makes the header's checksum match again.
fn finish_again(bytes: &mut [u8]) {
    let length = Fields(&bytes[8..12]).u32().unwrap() as usize;
    let crc = header_crc(&bytes[..length]);
    bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}
