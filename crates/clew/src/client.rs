//! Asks a running server over its HTTP API.

use std::time::Duration;

use anyhow::Context as _;
use clew_server::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, StatusCode};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, BodyReader, RequestBuilder};

use crate::exit::Failure;

/// Which server, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Server {
    /// The server's API
    #[arg(long = "server", value_name = "URL", env = "CLEW_SERVER", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The tenant whose traces are meant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// A bearer token
    #[arg(long, value_name = "TOKEN", env = "CLEW_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// An answer that is read as it comes.
pub(crate) struct Streamed {
    /// Why it will lack something, as far as the server knew when it began.
    pub(crate) incomplete: Option<String>,
    /// The rest. A transfer that breaks off is an error of it.
    pub(crate) body: BodyReader<'static>,
}

impl Server {
    /// The body of a GET.
    pub(crate) fn get(&self, path: &str, query: &[(String, String)]) -> Result<String, Failure> {
        let agent = agent(Some(Duration::from_mins(1)));
        self.text(agent.get(format!("{}{path}", self.base()?)), query)
    }

    /// A DELETE's answer.
    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str, query: &[(String, String)]) -> Result<T, Failure> {
        let agent = agent(Some(Duration::from_mins(1)));
        self.read(&self.text(agent.delete(format!("{}{path}", self.base()?)), query)?)
    }

    /// The answer to a POST of JSON.
    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        let agent = agent(Some(Duration::from_mins(1)));
        let request = self.named(agent.post(format!("{}{path}", self.base()?)));
        let body = serde_json::to_string(body).context("the request")?;
        let response = request.header("Content-Type", "application/json").send(body);
        self.read(&self.body(accepted(response.map_err(|error| self.unreachable(&error))?)?)?)
    }

    /// A GET whose answer may be long in coming and of any length.
    pub(crate) fn stream(&self, path: &str, query: &[(String, String)]) -> Result<Streamed, Failure> {
        let request = agent(None).get(format!("{}{path}", self.base()?));
        let response = self.call(request, query)?;
        let incomplete = response.headers().get("clew-incomplete").and_then(|value| value.to_str().ok());
        let incomplete = incomplete.map(str::to_owned);
        Ok(Streamed { incomplete, body: response.into_body().into_with_config().limit(u64::MAX).reader() })
    }

    /// A stream of events, which has no end of its own; those after the one that was seen last.
    pub(crate) fn events(
        &self,
        path: &str,
        query: &[(String, String)],
        seen: Option<u64>,
    ) -> Result<BodyReader<'static>, Failure> {
        let mut request = agent(None).get(format!("{}{path}", self.base()?)).header("Accept", "text/event-stream");
        if let Some(seen) = seen {
            request = request.header("Last-Event-ID", seen.to_string());
        }
        Ok(self.call(request, query)?.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// A POST of an OTLP request in protobuf; any status is an answer.
    pub(crate) fn post_otlp(&self, agent: &Agent, body: &[u8]) -> Result<Response<Body>, Failure> {
        let request = agent.post(format!("{}/v1/traces", self.base()?));
        let request = self.named(request).header("Content-Type", "application/x-protobuf");
        request.send(body).map_err(|error| self.unreachable(&error))
    }

    fn text(&self, request: RequestBuilder<WithoutBody>, query: &[(String, String)]) -> Result<String, Failure> {
        self.body(self.call(request, query)?)
    }

    fn body(&self, mut response: Response<Body>) -> Result<String, Failure> {
        let body = response.body_mut().with_config().limit(1 << 30).read_to_string();
        body.map_err(|error| self.unreachable(&error))
    }

    /// An answer that is no refusal.
    fn call(
        &self,
        request: RequestBuilder<WithoutBody>,
        query: &[(String, String)],
    ) -> Result<Response<Body>, Failure> {
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let response = self.named(request).query_pairs(pairs).call();
        accepted(response.map_err(|error| self.unreachable(&error))?)
    }

    /// The request with the names of who asks.
    fn named<B>(&self, mut request: RequestBuilder<B>) -> RequestBuilder<B> {
        if let Some(tenant) = &self.tenant {
            request = request.header("X-Scope-OrgID", tenant);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        request
    }

    /// A GET's answer.
    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str, query: &[(String, String)]) -> Result<T, Failure> {
        self.read(&self.get(path, query)?)
    }

    /// An answer's JSON.
    pub(crate) fn read<T: DeserializeOwned>(&self, body: &str) -> Result<T, Failure> {
        Ok(serde_json::from_str(body).with_context(|| format!("{} does not answer as clew does", self.url))?)
    }

    fn base(&self) -> Result<String, Failure> {
        let base = self.url.trim_end_matches('/');
        match base.split_once("://") {
            None if !base.is_empty() => Ok(format!("http://{base}")),
            Some(("http", _)) => Ok(base.to_owned()),
            Some(("https", _)) => Err(Failure::Usage(format!("--server {base}: TLS is not spoken here yet"))),
            _ => Err(Failure::Usage(format!("--server `{base}`: expected a URL such as http://127.0.0.1:8080"))),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::Unreachable(format!(
            "no clew answers at {}: {error}\n  start one with `clew`, or name another with --server URL or CLEW_SERVER",
            self.url
        ))
    }
}

/// Connections to a server; with a bound, each answer must be whole within it.
pub(crate) fn agent(time_max: Option<Duration>) -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).timeout_connect(Some(Duration::from_secs(10)));
    config.timeout_global(time_max).build().into()
}

/// An answer, unless it is a refusal.
fn accepted(mut response: Response<Body>) -> Result<Response<Body>, Failure> {
    if response.status().is_success() {
        return Ok(response);
    }
    let body = response.body_mut().with_config().limit(1 << 20).read_to_string().unwrap_or_default();
    Err(refused(response.status(), &body))
}

/// What a refusal says, from its problem document.
fn refused(status: StatusCode, body: &str) -> Failure {
    let text = match serde_json::from_str::<Problem>(body) {
        Ok(Problem { detail, parameter: Some(parameter), .. }) => format!("{parameter}: {detail}"),
        Ok(problem) => problem.detail,
        Err(_) => format!("the server answered {status}; is it clew?"),
    };
    match status {
        StatusCode::NOT_FOUND => Failure::NotFound(text),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Failure::Unreachable(text),
        status if status.is_client_error() => Failure::Usage(text),
        _ => Failure::Failed(anyhow::Error::msg(text)),
    }
}
