//! `[resolver]`: how answers are found.

use super::error::{ConfigError, Problem};
use super::load::Loader;
use super::settings::*;
use super::shape::Text;
use super::{shape, values};
use std::time::Duration;

impl Loader {
    pub(super) fn resolver(&self, shape: shape::Resolver) -> Result<ResolverSettings, ConfigError> {
        let default = ResolverSettings::default();
        let mode = self.word(
            shape.mode.as_ref(),
            "resolver.mode",
            default.mode,
            &[("recursive", Mode::Recursive), ("forward", Mode::Forward)],
        )?;
        let ipv4 = shape.ipv4.as_ref().is_none_or(|ipv4| *ipv4.get_ref());
        let ipv6 = shape.ipv6.as_ref().is_none_or(|ipv6| *ipv6.get_ref());
        if !ipv4 && !ipv6 {
            let span = shape.ipv6.map_or(0..0, |ipv6| ipv6.span());
            return Err(self.fail(
                span,
                Problem::Other("resolver.ipv4 and resolver.ipv6 are both false; set one to true".to_owned()),
            ));
        }
        let forward = self.values(
            shape.forward.as_deref().unwrap_or_default(),
            "resolver.forward",
            values::upstream,
        )?;
        let bootstrap = match &shape.bootstrap {
            None => default.bootstrap,
            Some(bootstrap) => self.values(bootstrap, "resolver.bootstrap", |text| {
                values::address_with_port(text, 53)
            })?,
        };
        if mode == Mode::Forward && forward.is_empty() {
            let span = shape.mode.map_or(0..0, |mode| mode.span());
            return Err(self.fail(
                span,
                Problem::Other(
                    "resolver.mode = \"forward\" needs upstreams; add forward = [\"tls://9.9.9.9#dns.quad9.net\"] or others"
                        .to_owned(),
                ),
            ));
        }
        let fallback = self.word(
            shape.fallback.as_ref(),
            "resolver.fallback",
            None,
            &[
                ("off", None),
                (
                    "recursive",
                    Some(Fallback::Recursive {
                        validate: shape.validate.unwrap_or(true),
                    }),
                ),
                ("forward", Some(Fallback::Forward)),
            ],
        )?;
        let odd = match (mode, fallback) {
            (Mode::Recursive, Some(Fallback::Recursive { .. })) => {
                Some("is the mode itself; write \"off\" or \"forward\"")
            }
            (Mode::Forward, Some(Fallback::Forward)) => Some("is the mode itself; write \"off\" or \"recursive\""),
            (_, Some(Fallback::Forward)) if forward.is_empty() => {
                Some("needs upstreams; name some in resolver.forward")
            }
            _ => None,
        };
        if let (Some(odd), Some(text)) = (odd, &shape.fallback) {
            return Err(self.wrong(text, "resolver.fallback", odd));
        }
        if bootstrap.is_empty() {
            let named = forward.iter().zip(shape.forward.as_deref().unwrap_or_default());
            for (upstream, text) in named {
                if matches!(upstream.host, Host::Name(_)) {
                    return Err(self.wrong(
                        text,
                        "resolver.forward",
                        "is an upstream by name, but resolver.bootstrap is empty; write its address or a bootstrap server",
                    ));
                }
            }
        }
        Ok(ResolverSettings {
            mode,
            root_hints: self.path(shape.root_hints.as_ref(), "resolver.root_hints")?,
            prime: shape.prime.unwrap_or(default.prime),
            // Whoever forwards has chosen whom to trust.
            validate: shape.validate.unwrap_or(mode == Mode::Recursive),
            trust_anchor: self.path(shape.trust_anchor.as_ref(), "resolver.trust_anchor")?,
            trust_anchors: shape.trust_anchors.unwrap_or_default(),
            insecure: self.values(
                shape.insecure.as_deref().unwrap_or_default(),
                "resolver.insecure",
                values::name,
            )?,
            sha1: shape.sha1.unwrap_or(default.sha1),
            signature_skew: self.value(
                shape.signature_skew.as_ref(),
                "resolver.signature_skew",
                default.signature_skew,
                values::duration,
            )?,
            qname_minimization: self.word(
                shape.qname_minimization.as_ref(),
                "resolver.qname_minimization",
                default.qname_minimization,
                &[
                    ("relaxed", QnameMinimization::Relaxed),
                    ("strict", QnameMinimization::Strict),
                    ("off", QnameMinimization::Off),
                ],
            )?,
            case_randomization: shape.case_randomization.unwrap_or(default.case_randomization),
            ipv4,
            ipv6,
            // 512: RFC 6891 §6.2.3; above 4096 no path carries it whole.
            edns_buffer: self.number(
                shape.edns_buffer.as_ref(),
                "resolver.edns_buffer",
                i64::from(default.edns_buffer),
                512..=4096,
            )? as u16,
            deadline: self.value(shape.deadline.as_ref(), "resolver.deadline", default.deadline, |text| {
                match values::duration(text)? {
                    deadline if deadline < Duration::from_millis(100) || deadline > Duration::from_secs(60) => {
                        Err("is out of bounds; write a duration from 100ms to 60s".to_owned())
                    }
                    deadline => Ok(deadline),
                }
            })?,
            query_private: self.values(
                shape.query_private.as_deref().unwrap_or_default(),
                "resolver.query_private",
                values::network,
            )?,
            bootstrap,
            forward,
            forward_order: self.forward_order(shape.forward_order.as_ref(), "resolver.forward_order")?,
            fallback,
            dns64: self.values(
                shape.dns64.as_deref().unwrap_or_default(),
                "resolver.dns64",
                values::translation_prefix,
            )?,
        })
    }

    pub(super) fn forward_order(&self, text: Option<&Text>, key: &'static str) -> Result<ForwardOrder, ConfigError> {
        self.word(
            text,
            key,
            ForwardOrder::default(),
            &[
                ("ordered", ForwardOrder::Ordered),
                ("fastest", ForwardOrder::Fastest),
                ("raced", ForwardOrder::Raced),
            ],
        )
    }
}
