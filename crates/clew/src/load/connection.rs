//! One connection to a server, over OTLP/HTTP or OTLP/gRPC, for requests that are encoded already.

use anyhow::{Context as _, anyhow};
use bytes::{Buf as _, BufMut as _, Bytes};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use super::{Compression, Protocol, Target};
use crate::otlp_answer::{rejected, words};

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Acknowledged; so many of its spans were rejected.
    Acknowledged {
        /// How many spans were rejected.
        rejected: u64,
    },
    /// Refused for now, with these words.
    Refused(String),
}

/// An open connection.
pub(super) enum Connection {
    /// OTLP/HTTP with protobuf.
    Http(SendRequest<Full<Bytes>>, Target),
    /// OTLP/gRPC.
    Grpc(Box<Grpc<Channel>>, Option<MetadataValue<Ascii>>),
}

impl Connection {
    pub(super) async fn open(target: &Target) -> anyhow::Result<Self> {
        match target.protocol {
            Protocol::Http => {
                let stream = tokio::net::TcpStream::connect(&target.authority).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                // The connection ends with its sender; what it failed with reaches the sender's caller.
                tokio::spawn(connection);
                Ok(Self::Http(sender, target.clone()))
            }
            Protocol::Grpc => {
                let channel = Endpoint::from_shared(format!("http://{}", target.authority))?.connect().await?;
                let mut client = Grpc::new(channel);
                client = match target.compression {
                    Compression::None => client,
                    Compression::Gzip => client.send_compressed(CompressionEncoding::Gzip),
                    Compression::Zstd => client.send_compressed(CompressionEncoding::Zstd),
                };
                let token = target.token.as_ref().map(|token| format!("Bearer {token}").parse()).transpose();
                Ok(Self::Grpc(Box::new(client), token.context("the token is not a header value")?))
            }
        }
    }

    /// Sends one request and waits for its reply. An error says that the connection is of no more use.
    pub(super) async fn send(&mut self, body: Vec<u8>) -> anyhow::Result<Reply> {
        match self {
            Self::Http(sender, target) => send_http(sender, target, body).await,
            Self::Grpc(client, token) => send_grpc(client, token.as_ref(), body).await,
        }
    }
}

async fn send_http(sender: &mut SendRequest<Full<Bytes>>, target: &Target, body: Vec<u8>) -> anyhow::Result<Reply> {
    let (body, encoding) = match target.compression {
        Compression::None => (body, None),
        Compression::Gzip => (gzip(&body)?, Some("gzip")),
        Compression::Zstd => (zstd::encode_all(body.as_slice(), 1)?, Some("zstd")),
    };
    let mut request = Request::post("/v1/traces")
        .header(header::HOST, &target.authority)
        .header(header::CONTENT_TYPE, "application/x-protobuf");
    if let Some(encoding) = encoding {
        request = request.header(header::CONTENT_ENCODING, encoding);
    }
    if let Some(token) = &target.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    sender.ready().await?;
    let response = sender.send_request(request.body(Full::new(body.into()))?).await?;
    let status = response.status();
    let answer = response.into_body().collect().await?.to_bytes();
    match status.as_u16() {
        200 => Ok(Reply::Acknowledged { rejected: rejected(&ExportTraceServiceResponse::decode(answer)?) }),
        429 | 503 => Ok(Reply::Refused(words(&answer))),
        _ => Err(anyhow!("the server answered {status}: {}", words(&answer))),
    }
}

async fn send_grpc(
    client: &mut Grpc<Channel>,
    token: Option<&MetadataValue<Ascii>>,
    body: Vec<u8>,
) -> anyhow::Result<Reply> {
    client.ready().await?;
    let mut request = tonic::Request::new(Bytes::from(body));
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", token.clone());
    }
    let path = http::uri::PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    match client.unary(request, path, Encoded).await {
        Ok(response) => Ok(Reply::Acknowledged { rejected: rejected(response.get_ref()) }),
        Err(status) => match status.code() {
            // A connection that broke is "unavailable" too; only a server's own words come with an empty source.
            Code::Unavailable if std::error::Error::source(&status).is_some() => Err(status.into()),
            Code::Unavailable | Code::ResourceExhausted => Ok(Reply::Refused(status.message().to_owned())),
            _ => Err(status.into()),
        },
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// gRPC messages that are encoded already.
#[derive(Debug, Clone, Copy)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<ExportTraceServiceResponse>, Status> {
        let message = bytes.copy_to_bytes(bytes.remaining());
        ExportTraceServiceResponse::decode(message).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}
