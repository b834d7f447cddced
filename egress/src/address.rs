//! Which addresses may be reached: the special-purpose registries of IANA (RFC 6890 and its
//! updates), read from the safe side.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far away an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Globally routed.
    Public,
    /// This machine or the networks around it: reached only where somebody configured so.
    Local,
    /// Never reached: link-local (cloud metadata), unspecified, multicast, reserved, documentation.
    Never,
}

/// How far away `address` is. Addresses that carry an IPv4 address inside are judged by it.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // Loopback; private (RFC 1918); shared by carriers (RFC 6598).
        (127 | 10, _, _) | (192, 168, _) | (172, 16..=31, _) | (100, 64..=127, _) => Reach::Local,
        // This network; protocol assignments; link-local with the metadata service; documentation;
        // the retired 6to4 relay; benchmarks; multicast, reserved and broadcast.
        (0 | 224.., _, _)
        | (169, 254, _)
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => Reach::Never,
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address == Ipv6Addr::LOCALHOST {
        return Reach::Local;
    }
    let s = address.segments();
    let last_v4 = || {
        let [a, b] = s[6].to_be_bytes();
        let [c, d] = s[7].to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        // IPv4-mapped, and what a NAT64 gateway translates (RFC 6052): the IPv4 address decides.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => reach_v4(last_v4()),
        // Unique local (RFC 4193).
        [0xfc00..=0xfdff, ..] => Reach::Local,
        // Protocol assignments with Teredo and ORCHID, documentation, 6to4: inside 2000::/3, and
        // either nowhere or a tunnel to an IPv4 address of the sender's choice.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => Reach::Never,
        // Global unicast.
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Reach {
        reach(text.parse().unwrap())
    }

    #[test]
    fn special_addresses_are_known() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert_eq!(at(public), Reach::Public, "{public}");
        }
        for local in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert_eq!(at(local), Reach::Local, "{local}");
        }
        for never in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "192.0.2.1",
            "198.51.100.7",
            "203.0.113.9",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "fd::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "::127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "3fff::1",
            "fec0::1",
        ] {
            assert_eq!(at(never), Reach::Never, "{never}");
        }
    }

    proptest! {
        /// The standard library's own predicates are an oracle for what must not be public.
        #[test]
        fn nothing_special_is_public(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let special = v4.is_loopback() || v4.is_private() || v4.is_link_local()
                || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()
                || v4.is_documentation() || v4.octets()[0] == 0;
            if special {
                prop_assert_ne!(reach(v4.into()), Reach::Public);
            }
            if v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() {
                prop_assert_eq!(reach(v4.into()), Reach::Never);
            }
        }

        #[test]
        fn a_mapped_or_translated_address_is_judged_as_the_one_inside(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            prop_assert_eq!(reach(v4.to_ipv6_mapped().into()), reach(v4.into()));
            let [a, b, c, d] = v4.octets();
            let pair = |x: u8, y: u8| u16::from_be_bytes([x, y]);
            let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, pair(a, b), pair(c, d));
            prop_assert_eq!(reach(nat64.into()), reach(v4.into()));
        }

        #[test]
        fn only_global_unicast_of_version_six_is_public(bits: u128) {
            let v6 = Ipv6Addr::from(bits);
            let embeds = v6.to_ipv4_mapped().is_some() || v6.segments()[0] == 0x64;
            if reach(v6.into()) == Reach::Public && !embeds {
                prop_assert_eq!(bits >> 125, 1);
            }
        }
    }
}
