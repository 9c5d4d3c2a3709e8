// Which certificate is that of a node. What a real server and real files make of it: test/cassandra-access.test.ts.

import type { PeerCertificate } from "node:tls";
import { expect, test } from "bun:test";
import { whyNotOurs } from "./way-in.ts";

const certificateFor = (subjectaltname: string) => ({ subject: { CN: "node" }, subjectaltname }) as PeerCertificate;

const A = "10.0.0.1";
const PEER = "10.0.0.9";

test.each<[string, boolean, { ip: string; certificate: string; hosts: string[]; led?: [string, string[]][] }]>([
  ["an address that stands in the store's", true, { ip: A, certificate: `IP Address:${A}`, hosts: [A] }],
  ["another address", false, { ip: A, certificate: `IP Address:${PEER}`, hosts: [A] }],
  ["an address as a name", false, { ip: A, certificate: `DNS:${A}`, hosts: [A] }],
  [
    "a name that led there",
    true,
    { ip: A, certificate: "DNS:one.example", hosts: ["one.example"], led: [["one.example", [A]]] },
  ],
  [
    "any name of a domain that led there",
    true,
    {
      ip: A,
      certificate: "DNS:*.cluster.example",
      hosts: ["one.cluster.example"],
      led: [["one.cluster.example", [A]]],
    },
  ],
  [
    "another name",
    false,
    { ip: A, certificate: "DNS:two.example", hosts: ["one.example"], led: [["one.example", [A]]] },
  ],
  [
    "a name of ours that led elsewhere",
    false,
    {
      ip: A,
      certificate: "DNS:two.example",
      hosts: ["one.example", "two.example"],
      led: [
        ["one.example", [A]],
        ["two.example", ["10.0.0.2"]],
      ],
    },
  ],
  [
    "the address that a name led to",
    false,
    { ip: A, certificate: `IP Address:${A}`, hosts: ["one.example"], led: [["one.example", [A]]] },
  ],
  ["a node that the cluster told of, by address", true, { ip: PEER, certificate: `IP Address:${PEER}`, hosts: [A] }],
  [
    "a node that the cluster told of, by one of our names",
    true,
    { ip: PEER, certificate: "DNS:one.example", hosts: ["one.example"], led: [["one.example", [A]]] },
  ],
  [
    "a node that the cluster told of, by one of our addresses",
    false,
    { ip: PEER, certificate: `IP Address:${A}`, hosts: [A] },
  ],
])("a certificate for %s is taken: %p", (_, taken, { ip, certificate, hosts, led = [] }) => {
  const problem = whyNotOurs(ip, certificateFor(certificate), hosts, new Map(led));
  expect(problem === undefined).toBe(taken);
  if (!taken) expect(problem?.message).toContain(`its certificate is for "${certificate}"`);
});
