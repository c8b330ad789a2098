import { expect } from "expect";
import fc from "fast-check";
import { isInBlock, parseAddress, parseBlock, refusalOf } from "./address_rules.ts";

/** `open`, what the address is, or `unreadable`. */
function verdict(text: string): string {
  const address = parseAddress(text);
  return address ? refusalOf(address)?.what ?? "open" : "unreadable";
}

const verdicts: Readonly<Record<string, string>> = {
  "93.184.216.34 8.8.8.8 1.1.1.1 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 223.255.255.255":
    "open",
  "11.0.0.0 9.255.255.255 126.255.255.255 128.0.0.0 192.167.255.255 192.169.0.0 169.253.255.255 169.255.0.0":
    "open",
  "127.0.0.1 127.255.255.255 ::1 0:0:0:0:0:0:0:1 ::ffff:127.0.0.1 ::ffff:7f00:1": "loopback",
  "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 ::ffff:10.1.2.3":
    "a private address",
  "100.64.0.0 100.127.255.255": "a carrier-grade NAT address",
  "0.0.0.0 0.255.255.255 ::": "an unspecified address",
  "169.254.0.0 169.254.255.255 fe80::1 febf::1": "a link-local address",
  "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254 ::ffff:169.254.169.254":
    "a metadata service",
  "224.0.0.1 239.255.255.255 ff02::1": "a multicast address",
  "240.0.0.0 255.255.255.255 192.0.0.8 192.88.99.1 192.52.193.1": "a reserved address",
  "198.18.0.0 198.19.255.255": "a benchmarking address",
  "192.0.2.1 198.51.100.1 203.0.113.255 2001:db8::1 3fff::1": "a documentation address",
  "2606:4700:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 2001:200::1": "open",
  "fc00::1 fdff::1": "a unique local address",
  "fec0::1 ::127.0.0.1 ::8.8.8.8 ::ffff:0:127.0.0.1 100::1 4000::1 5f00::1 2001:2::1 2001:20::1":
    "a reserved address",
  "2002:7f00:1:: 2002:808:808::1": "a 6to4 address",
  "2001:0:4136:e378:8000:63bf:3fff:fdd2": "a Teredo address",
  "64:ff9b::8.8.8.8": "open",
  "64:ff9b::127.0.0.1 64:ff9b::7f00:1": "loopback behind NAT64",
  "64:ff9b::10.0.0.1": "a private address behind NAT64",
  "64:ff9b::169.254.169.254": "a metadata service behind NAT64",
  "64:ff9b:1::8.8.8.8 64:ff9b:1:ffff::1": "a local NAT64 address",
  "fe80::1%eth0 ::1%lo 127.1 2130706433 0x7f.0.0.1 0177.0.0.1 127.0.0.01 localhost 1.2.3.4/8": "unreadable",
};

for (const [addresses, expected] of Object.entries(verdicts)) {
  Deno.test(`${expected}: ${addresses}`, () => {
    for (const address of addresses.split(" ")) {
      expect([address, verdict(address)]).toEqual([address, expected]);
    }
  });
}

Deno.test("an IPv4 address gets the same verdict in every IPv6 form that leads to it", () => {
  fc.assert(fc.property(fc.ipV4(), (plain) => {
    const expected = verdict(plain);
    expect(verdict(`::ffff:${plain}`)).toBe(expected);
    expect(verdict(`64:ff9b::${plain}`)).toBe(expected === "open" ? "open" : `${expected} behind NAT64`);
    for (const prefix of ["::", "::ffff:0:", "64:ff9b:1::"]) {
      expect(verdict(`${prefix}${plain}`)).not.toBe("open");
    }
  }));
});

Deno.test("of IPv6 only 2000::/3 and NAT64 are ever open", () => {
  fc.assert(fc.property(fc.ipV6(), (text) => {
    const address = parseAddress(text);
    if (!address || refusalOf(address) !== undefined || address.kind() === "ipv4") return;
    expect(["2000::/3", "64:ff9b::/96"].some((block) => isInBlock(address, parseBlock(block)!))).toBe(true);
  }));
});

Deno.test("blocks: what is none, and mapped ones count as the IPv4 blocks in them", () => {
  for (
    const text of [
      "10.0.0.0/33",
      "fd00::/129",
      "10.0.0.0/",
      "10.0.0.0/8/8",
      "10.0/8",
      "::ffff:0:0/95",
      "x",
      "",
    ]
  ) {
    expect([text, parseBlock(text)]).toEqual([text, undefined]);
  }
  expect(isInBlock(parseAddress("10.1.2.3")!, parseBlock("::ffff:10.0.0.0/104")!)).toBe(true);
  expect(isInBlock(parseAddress("11.1.2.3")!, parseBlock("::ffff:10.0.0.0/104")!)).toBe(false);
  expect(isInBlock(parseAddress("::1")!, parseBlock("0.0.0.0/0")!)).toBe(false);
});
