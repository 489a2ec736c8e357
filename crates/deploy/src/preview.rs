//! Preview: the changes that a deploy would make, before it makes them.
//!
//! Asks each host what is active and compares: files, parameters key by key, bytes to send, who
//! approved. Changes nothing. Its result can be kept, so that a later deploy is refused where a
//! host has changed since.

use super::ending::{Ended, Failure};
use super::fleet::Host;
use super::pack::Packed;
use super::session::{Options, Session};
use super::transport::Transport;
use crate::release::{Content, Difference, Package, ParameterChange, Release, parameter_changes};
use crate::wire::{Base, Plan, Reply, Request};
use cellgate_core::digest::Digest;
use cellgate_inputs::source::Source;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

/// Value of the `schema` key of a kept plan.
pub const SCHEMA: &str = "cellgate/plan/v1";

/// Most bytes of a kept plan.
pub const MAX_PLAN_BYTES: u64 = 1 << 20;

/// Most bytes of a profile.
const MAX_PROFILE_BYTES: usize = 1 << 20;

/// Changes that a deploy would make on one host.
#[derive(Debug)]
pub struct Preview {
    /// The host.
    pub host: String,
    /// Plan of the server.
    pub plan: Plan,
    /// Differences from the active release.
    pub difference: Difference,
    /// Parameters that differ, by profile.
    pub parameters: Vec<(String, Vec<ParameterChange>)>,
    /// Bytes that would be sent.
    pub n_bytes: u64,
}

/// A plan to be carried out later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptPlan {
    /// [`SCHEMA`].
    pub schema: String,
    /// The target's name.
    pub target: String,
    /// The release.
    pub release: Digest,
    /// Release that was active on each host, in the target's order.
    pub hosts: Vec<KeptHost>,
}

/// Release that was active on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptHost {
    /// The host.
    pub host: String,
    /// The release; none on a bare one.
    pub active: Option<Digest>,
}

/// A kept plan cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptPlanError {
    /// It is no plan of this version.
    #[error("it is no plan of this version ({0}); make it anew with `cellgate deploy --plan-out`")]
    Syntax(String),
    /// It is about another release.
    #[error(
        "the plan is about release {planned}, and this commit gives {present}: the commit, the \
         program or the approvals have changed; make the plan anew"
    )]
    Release {
        /// Release that was planned.
        planned: String,
        /// Release that the commit gives now.
        present: String,
    },
    /// It is about other hosts.
    #[error("the plan is about other hosts than the target has now; make the plan anew")]
    Hosts,
}

/// Asks every host what a deploy would change there.
///
/// # Errors
/// The first [`Failure`]; nothing was changed.
pub async fn preview<T: Transport>(
    hosts: &[Host<T>],
    packed: &Packed,
    options: &Options,
) -> Result<Vec<Preview>, Failure> {
    let preview_host = |host| preview_one(host, &packed.package, options);
    join_all(hosts.iter().map(preview_host)).await.into_iter().collect()
}

async fn preview_one<T: Transport>(
    host: &Host<T>,
    package: &Package,
    options: &Options,
) -> Result<Preview, Failure> {
    let name_host = |failure: Failure| {
        Failure::new(failure.ended, format!("host `{}`: {}", host.name, failure.message))
    };
    let mut session = Session::open(&host.way, options.clone()).await.map_err(name_host)?;
    let plan = session.plan(package.release()).await.map_err(name_host)?;
    let status = session.status(false).await.map_err(name_host)?;
    let base = match &status.manifest {
        None => None,
        Some(manifest) => Some(Release::parse(manifest.as_bytes()).map_err(|error| {
            let text = format!("host `{}`: its active release: {error}", host.name);
            Failure::new(Ended::Refused, text)
        })?),
    };
    let difference = Release::difference(base.as_ref(), package.release());
    let mut parameters = Vec::new();
    for name in &difference.changed_profiles {
        let changes =
            profile_changes(&mut session, base.as_ref(), package, name).await.map_err(name_host)?;
        parameters.push((name.clone(), changes));
    }
    let n_bytes = plan.missing.iter().map(|missing| missing.size).sum();
    Ok(Preview { host: host.name.clone(), plan, difference, parameters, n_bytes })
}

/// Compares the parameters of a profile that both sides have.
async fn profile_changes<T: Transport>(
    session: &mut Session<'_, T>,
    base: Option<&Release>,
    package: &Package,
    name: &str,
) -> Result<Vec<ParameterChange>, Failure> {
    let path = |release: &Release| {
        release.profiles.iter().find(|one| one.name == name).map(|one| one.path.clone())
    };
    let paths = base.and_then(path).zip(path(package.release()));
    let Some((base_path, head_path)) = paths else { return Ok(Vec::new()) };
    let frame = session.request(Request::Read { path: base_path.clone() }).await?;
    let text = match frame.header {
        Reply::Content => String::from_utf8(frame.raw).unwrap_or_default(),
        _ => String::new(),
    };
    let file = package.release().file(&head_path);
    let head = match file
        .and_then(|file| package.content(file.sha256))
        .map(|content: &Content| content.read_at(0, MAX_PROFILE_BYTES).map(String::from_utf8))
    {
        Some(Ok(Ok(text))) => text,
        _ => String::new(),
    };
    let sides = (Source::new(base_path, text), Source::new(head_path, head));
    // A profile that this version does not read is reported as changed, without its keys.
    Ok(parameter_changes(&sides.0, &sides.1).unwrap_or_default())
}

impl KeptPlan {
    /// Keeps what previews saw.
    #[must_use]
    pub fn new(target: &str, release: Digest, previews: &[Preview]) -> Self {
        let host = |one: &Preview| KeptHost { host: one.host.clone(), active: one.plan.active };
        Self {
            schema: SCHEMA.to_owned(),
            target: target.to_owned(),
            release,
            hosts: previews.iter().map(host).collect(),
        }
    }

    /// Reads a kept plan.
    ///
    /// # Errors
    /// [`KeptPlanError::Syntax`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeptPlanError> {
        let syntax_error = |error: serde_json::Error| KeptPlanError::Syntax(error.to_string());
        let plan: Self = serde_json::from_slice(bytes).map_err(syntax_error)?;
        if plan.schema == SCHEMA {
            Ok(plan)
        } else {
            Err(KeptPlanError::Syntax(format!("it needs `{SCHEMA}`")))
        }
    }

    /// Lets hosts refuse where they have moved since.
    ///
    /// # Errors
    /// [`KeptPlanError`] when the release or the hosts are others now.
    pub fn bind<T>(&self, release: Digest, hosts: &mut [Host<T>]) -> Result<(), KeptPlanError> {
        if self.release != release {
            let (planned, present) = (self.release.short(), release.short());
            return Err(KeptPlanError::Release { planned, present });
        }
        let names = hosts.iter().map(|host| &host.name);
        if !self.hosts.iter().map(|host| &host.host).eq(names) {
            return Err(KeptPlanError::Hosts);
        }
        for (host, kept_host) in hosts.iter_mut().zip(&self.hosts) {
            host.base = Base::Active(kept_host.active);
        }
        Ok(())
    }
}

/// Previews as a JSON document: what is kept, and what would change on each host.
#[must_use]
pub fn json(plan: &KeptPlan, previews: &[Preview]) -> serde_json::Value {
    let change = |one: &ParameterChange| serde_json::json!({"key": one.key, "base": one.base, "head": one.head});
    let parameters = |(name, changes): &(String, Vec<ParameterChange>)| {
        let changes: Vec<serde_json::Value> = changes.iter().map(change).collect();
        serde_json::json!({"profile": name, "changes": changes})
    };
    let host = |one: &Preview| {
        let refusals: Vec<String> = one.plan.refusals.iter().map(ToString::to_string).collect();
        serde_json::json!({
            "host": one.host,
            "active": one.plan.active,
            "is_active": one.plan.is_active,
            "added": one.difference.added,
            "removed": one.difference.removed,
            "changed": one.difference.changed,
            "parameters": one.parameters.iter().map(parameters).collect::<Vec<_>>(),
            "n_bytes": one.n_bytes,
            "refusals": refusals,
        })
    };
    serde_json::json!({
        "schema": "cellgate/preview/v1",
        "target": plan.target,
        "release": plan.release,
        "hosts": previews.iter().map(host).collect::<Vec<_>>(),
    })
}
