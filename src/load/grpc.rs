//! gRPC: calls over HTTP/2, and what the target offers to be called.

mod frames;
pub(super) mod status;

use h2::RecvStream;

use super::http2::next;
use super::tally::End;
use crate::model::run::ErrorClass;
use frames::Frames;

/// Reads the answer to a call to its end; `first_message` is told when the first bytes of it come.
pub(super) async fn answer(
    head: &http::response::Parts,
    mut body: RecvStream,
    mut first_message: impl FnMut(),
) -> Result<End, h2::Error> {
    if let Some(code) = status::given(&head.headers) {
        return Ok(End::Grpc(code));
    }
    let content_type = head.headers.get(http::header::CONTENT_TYPE);
    let is_grpc = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    let mut frames = Frames::default();
    let mut is_sound = true;
    let mut is_first = true;
    while let Some(data) = next(&mut body).await {
        let data = data?;
        if std::mem::take(&mut is_first) {
            first_message();
        }
        is_sound &= !is_grpc || frames.feed(&data).is_ok();
    }
    let trailers = body.trailers().await?;
    Ok(match trailers.as_ref().and_then(status::given) {
        Some(status::OK) if !(is_sound && frames.is_whole()) => End::Failed(ErrorClass::Protocol),
        Some(code) => End::Grpc(code),
        None if head.status != http::StatusCode::OK => End::Grpc(status::of_http(head.status)),
        None if !is_grpc => End::Failed(ErrorClass::WrongProtocol),
        None => End::Grpc(status::UNKNOWN),
    })
}
