//! Settings that nats-server has and this server does not: refused by name, never ignored.

use super::error::ConfigError;
use super::location::error_at;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// The sentence for a flag, a key or a field that nats-server serves and this server does not.
pub fn not_supported(name: &str) -> String {
    format!("{name} is not supported by this server yet")
}

/// Errors: the first key of nats-server that is not served.
pub fn refuse_unserved(file: &Path, text: &str, table: &DeTable<'_>) -> Result<(), ConfigError> {
    let refuse = |name: &str, offset| Err(error_at(file, text, offset, not_supported(name)));
    for (key, value) in table.iter() {
        let name = key.get_ref().as_ref();
        if TOP_LEVEL.contains(&name) {
            return refuse(name, key.span().start);
        }
        let (inner_table, unserved) = match (name, value.get_ref()) {
            ("jetstream", DeValue::Table(inner)) => (inner, JETSTREAM),
            ("authorization", DeValue::Table(inner)) => (inner, AUTHORIZATION),
            _ => continue,
        };
        for (inner, inner_value) in inner_table.iter() {
            if unserved.contains(&inner.get_ref().as_ref()) {
                return refuse(&format!("{name}.{}", inner.get_ref()), inner.span().start);
            }
            if inner.get_ref() == "users" {
                refuse_in_users(file, text, inner_value.get_ref())?;
            }
        }
    }
    Ok(())
}

fn refuse_in_users(file: &Path, text: &str, users: &DeValue<'_>) -> Result<(), ConfigError> {
    let DeValue::Array(users) = users else { return Ok(()) };
    let tables = users.iter().filter_map(|user| user.get_ref().as_table());
    for key in tables.flat_map(|table| table.keys()) {
        if USER.contains(&key.get_ref().as_ref()) {
            let name = format!("authorization.users.{}", key.get_ref());
            return Err(error_at(file, text, key.span().start, not_supported(&name)));
        }
    }
    Ok(())
}

/// Source of these lists: nats-server, server/opts.go.
const TOP_LEVEL: &[&str] = &[
    "accounts",
    "account_resolver",
    "allow_non_tls",
    "client_advertise",
    "cluster",
    "connect_error_reports",
    "default_js_domain",
    "default_permissions",
    "default_sentinel",
    "disable_sublist_cache",
    "feature_flags",
    "gateway",
    "http",
    "http_base_path",
    "http_port",
    "https",
    "https_port",
    "leaf",
    "leafnodes",
    "log_file",
    "log_max_num",
    "log_size_limit",
    "logfile",
    "logfile_max_num",
    "logfile_size_limit",
    "mappings",
    "maps",
    "max_closed_clients",
    "max_sub_tokens",
    "max_subscription_tokens",
    "max_traced_msg_len",
    "monitor_port",
    "mqtt",
    "no_auth_user",
    "no_fast_producer_stall",
    "no_sublist_cache",
    "no_sys_acc",
    "no_system",
    "no_system_account",
    "ocsp",
    "ocsp_cache",
    "operator",
    "operators",
    "ports_file_dir",
    "prof_block_rate",
    "prof_port",
    "proxies",
    "proxy_protocol",
    "reconnect_error_reports",
    "remote_syslog",
    "resolver",
    "resolver_pinned_accounts",
    "resolver_preload",
    "resolver_tls",
    "root",
    "roots",
    "root_operator",
    "root_operators",
    "server_metadata",
    "server_tags",
    "syslog",
    "system",
    "system_account",
    "tls",
    "trace_headers",
    "trace_verbose",
    "trusted",
    "trusted_keys",
    "websocket",
    "write_timeout",
    "ws",
];

const JETSTREAM: &[&str] = &[
    "cipher",
    "domain",
    "ek",
    "encryption_key",
    "extension_hint",
    "info_queue_limit",
    "key",
    "limits",
    "max_buffered_msgs",
    "max_buffered_size",
    "max_concurrent_io",
    "max_outstanding_catchup",
    "meta_compact",
    "meta_compact_size",
    "meta_compact_sync",
    "prev_encryption_key",
    "prev_key",
    "request_queue_limit",
    "tpm",
    "unique_tag",
];

const AUTHORIZATION: &[&str] =
    &["auth_callout", "auth_hook", "default_permissions", "permissions", "proxy_required"];

const USER: &[&str] = &[
    "allowed_connection_types",
    "authorization",
    "clients",
    "connection_types",
    "permission",
    "permissions",
    "proxy_required",
];
