import { expect, test } from "bun:test";
import { parseCassandraUrl } from "./url.ts";

test("an address has hosts, port, keyspace and parameters", () => {
  expect(parseCassandraUrl("cassandra://10.0.0.1,node-2.example:9999/reto3?dc=dc1&rf=3")).toEqual({
    hosts: ["10.0.0.1", "node-2.example"],
    port: 9999,
    keyspace: "reto3",
    datacenter: "dc1",
    rf: 3,
    credentials: undefined,
    location: "cassandra://10.0.0.1,node-2.example:9999/reto3?dc=dc1&rf=3",
  });
});

test("port and data centre have the defaults of Cassandra, rf is left to the keyspace", () => {
  expect(parseCassandraUrl("cassandra://h/k")).toMatchObject({ port: 9042, datacenter: "datacenter1", rf: undefined });
});

test("every host may name the port, which is one for all", () => {
  expect(parseCassandraUrl("cassandra://a:9142,b:9142/k")).toMatchObject({ hosts: ["a", "b"], port: 9142 });
});

test("a password is decoded, and never shown", () => {
  const { credentials, location } = parseCassandraUrl("cassandra://ann:p%40ss%2Fw:d@h/k");
  expect(credentials).toEqual({ username: "ann", password: "p@ss/w:d" });
  expect(location).not.toContain("p@ss");
  expect(location).not.toContain("ann");
});

test.each([
  ["no keyspace", "cassandra://h"],
  ["an empty keyspace", "cassandra://h/"],
  ["a keyspace that would need quotes", "cassandra://h/Reto3"],
  ["a keyspace that is CQL", "cassandra://h/a;drop"],
  ["no host", "cassandra:///k"],
  ["an empty host", "cassandra://a,,b/k"],
  ["a port out of range", "cassandra://h:70000/k"],
  ["two ports", "cassandra://h:1:2/k"],
  ["different ports", "cassandra://a:1,b:2/k"],
  ["rf 0", "cassandra://h/k?rf=0"],
  ["a parameter that is unknown", "cassandra://h/k?consistency=one"],
  ["a data centre that would need quotes", "cassandra://h/k?dc=d'c"],
  ["a user without a password", "cassandra://secret@h/k"],
  ["a password with a slash in it", "cassandra://ann:pa/secret@h/k"],
  ["a password with digits and a slash in it", "cassandra://ann:12/secret@h/k"],
  ["a password with an @ in it", "cassandra://ann:secret@secret@h/k"],
])("refused: %s", (_, address) => {
  expect(() => parseCassandraUrl(address)).toThrow("want cassandra://");
  try {
    parseCassandraUrl(address);
  } catch (error) {
    expect(String(error)).not.toContain("secret");
  }
});
