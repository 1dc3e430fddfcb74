//! What the kernel counts of TCP, for the whole machine.

use crate::measured::NetworkUse;
use std::fs;

/// Since the machine started; zeros where `/proc` has none of it.
pub fn network_counters() -> NetworkUse {
    let netstat = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let snmp = fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    NetworkUse {
        window_probes: counter(&netstat, "TcpExt:", "TCPWinProbe"),
        from_zero_window: counter(&netstat, "TcpExt:", "TCPFromZeroWindowAdv"),
        retransmits: counter(&snmp, "Tcp:", "RetransSegs"),
    }
}

/// The files have pairs of lines, names and numbers, that begin alike.
fn counter(text: &str, group: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with(group)).map(str::split_whitespace);
    let (Some(mut names), Some(mut numbers)) = (lines.next(), lines.next()) else { return 0 };
    let Some(at) = names.position(|found| found == name) else { return 0 };
    numbers.nth(at).and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl std::ops::Sub for NetworkUse {
    type Output = NetworkUse;
    fn sub(self, earlier: NetworkUse) -> NetworkUse {
        NetworkUse {
            window_probes: self.window_probes.saturating_sub(earlier.window_probes),
            from_zero_window: self.from_zero_window.saturating_sub(earlier.from_zero_window),
            retransmits: self.retransmits.saturating_sub(earlier.retransmits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let text = "IpExt: A B\nIpExt: 1 2\nTcpExt: X TCPWinProbe\nTcpExt: 5 7\n";
        assert_eq!(counter(text, "TcpExt:", "TCPWinProbe"), 7);
        assert_eq!(counter(text, "TcpExt:", "Nope"), 0);
    }
}
