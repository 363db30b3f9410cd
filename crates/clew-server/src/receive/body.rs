//! Reading a request's body: bounded in bytes and time, and never more than its share of the bytes in flight.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use clew_model::RefuseReason;
use http::header::EXPECT;
use http::{HeaderMap, Version};
use http_body_util::BodyExt as _;

use super::in_flight::Hold;
use super::refusal::Refusal;

/// How long, and how many times the largest request, the rest of a refused body is read and thrown away.
const DRAIN: (Duration, usize) = (Duration::from_secs(2), 4);

/// What bounds the reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) bytes_max: usize,
    pub(super) time_max: Duration,
}

/// The whole body. `hold` grows with it: at once when its length was announced, else as it comes.
pub(super) async fn read(body: &mut Body, bounds: Bounds, hold: &mut Hold) -> Result<Bytes, Refusal> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > bounds.bytes_max as u64) {
        return Err(too_large(bounds.bytes_max));
    }
    let announced = announced.unwrap_or(0) as usize;
    hold.grow_to(announced).await?;
    let whole = tokio::time::timeout(bounds.time_max, collect(body, announced, bounds.bytes_max, hold));
    whole.await.map_err(|_| Refusal::new(RefuseReason::SlowSender))?
}

async fn collect(body: &mut Body, announced: usize, bytes_max: usize, hold: &mut Hold) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::new(RefuseReason::Truncated).because(error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = whole.len() + data.len();
        if length > bytes_max {
            return Err(too_large(bytes_max));
        }
        if whole.is_empty() && length == announced {
            return Ok(data);
        }
        if length > hold.bytes() {
            hold.grow_to(length.max(hold.bytes() * 2).min(bytes_max)).await?;
        }
        if whole.is_empty() {
            whole.reserve(announced.max(length));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The refusal of a request that is larger than `bytes_max`.
pub(super) fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(RefuseReason::TooLarge).because(format!("the limit is {bytes_max} bytes (limits.request_bytes)"))
}

/// Whether the rest of a refused request's body is read before it is answered. Over HTTP/1 a sender that is still
/// writing when the connection closes may never see the answer; over HTTP/2 it sees it at once. A sender that asked
/// first (`Expect: 100-continue`) has not begun to write.
pub(super) fn worth_draining(version: Version, headers: &HeaderMap, reason: RefuseReason) -> bool {
    let sender_is_done = matches!(reason, RefuseReason::SlowSender | RefuseReason::Truncated);
    version < Version::HTTP_2 && !headers.contains_key(EXPECT) && !sender_is_done
}

/// Reads the rest of a body and throws it away, up to a bound.
pub(super) async fn drain(body: &mut Body, bytes_max: usize) {
    let (time_max, times) = DRAIN;
    let rest = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > bytes_max * times {
                return;
            }
        }
    };
    // Either way the answer follows; whether all was read does not matter.
    let _ = tokio::time::timeout(time_max, rest).await;
}
