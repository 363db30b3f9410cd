//! Asks a running server over its HTTP API.

use std::time::Duration;

use anyhow::Context as _;
use clew_server::Problem;
use serde::de::DeserializeOwned;
use ureq::Agent;
use ureq::http::StatusCode;

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

impl Server {
    /// The body of a GET.
    pub(crate) fn get(&self, path: &str, query: &[(String, String)]) -> Result<String, Failure> {
        let base = self.base()?;
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_mins(1)));
        let agent: Agent = config.build().into();
        let pairs = query.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut request = agent.get(format!("{base}{path}")).query_pairs(pairs);
        if let Some(tenant) = &self.tenant {
            request = request.header("X-Scope-OrgID", tenant);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(|error| self.unreachable(&error))?;
        let body = response.body_mut().with_config().limit(1 << 30).read_to_string();
        let body = body.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(body) } else { Err(refused(response.status(), &body)) }
    }

    /// A GET's answer.
    pub(crate) fn ask<T: DeserializeOwned>(&self, path: &str, query: &[(String, String)]) -> Result<T, Failure> {
        let body = self.get(path, query)?;
        Ok(serde_json::from_str(&body).with_context(|| format!("{} does not answer as clew does", self.url))?)
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
