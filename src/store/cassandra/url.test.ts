import { expect, test } from "bun:test";
import { parseCassandraUrl } from "./url.ts";

test("an address has hosts, port, keyspace and parameters", () => {
  expect(parseCassandraUrl("cassandra://10.0.0.1,node-2.example:9999/reto3?dc=dc1&rf=3")).toEqual({
    hosts: ["10.0.0.1", "node-2.example"],
    port: 9999,
    keyspace: "reto3",
    datacenter: "dc1",
    rf: 3,
    login: undefined,
    tls: undefined,
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
  const { login, location } = parseCassandraUrl("cassandra://ann:p%40ss%2Fw:d@h/k");
  expect(login).toEqual({ user: "ann", password: "p@ss/w:d" });
  expect(location).not.toContain("p@ss");
  expect(location).not.toContain("ann");
});

test("files for the password and for TLS are named in full, and not shown", () => {
  const { login, tls, location } = parseCassandraUrl(
    "cassandra://ann@h/k?password_file=/run/a+b%20c&tls=on&ca=/etc/ca.pem&cert=c.pem&key=secret.key",
  );
  expect(login).toEqual({ user: "ann", passwordFile: "/run/a+b c" });
  expect(tls).toEqual({ ca: "/etc/ca.pem", client: { cert: "c.pem", key: "secret.key" } });
  expect(location).toBe("cassandra://h:9042/k?dc=datacenter1&tls=on");
});

test("TLS goes with the system's authorities, and without a certificate of the client", () => {
  expect(parseCassandraUrl("cassandra://h/k?tls=on").tls).toEqual({});
});

test.each([
  ["both from outside", "h", { user: "eve", password: "p" }, { user: "eve", password: "p" }],
  ["the password from outside", "ann@h", { password: "p" }, { user: "ann", password: "p" }],
  ["the password's file from outside", "ann@h", { passwordFile: "f" }, { user: "ann", passwordFile: "f" }],
  ["an address with its own", "ann:own@h", { user: "eve", passwordFile: "f" }, { user: "ann", password: "own" }],
  [
    "the user from outside",
    "h/k?password_file=own",
    { user: "eve", password: "p" },
    { user: "eve", passwordFile: "own" },
  ],
  ["nobody", "h", {}, undefined],
])("who goes in: %s", (_, rest, outside, wanted) => {
  const url = rest.includes("/") ? `cassandra://${rest}` : `cassandra://${rest}/k`;
  expect(parseCassandraUrl(url, outside).login).toEqual(wanted);
});

test.each([
  ["a user and no password", "ann@h/k", {}, "there is a user but no password"],
  ["a password and no user", "h/k", { password: "secret" }, "there is a password but no user"],
  ["a file and no user", "h/k?password_file=f", {}, "there is a password but no user"],
  ["a password and a file for it", "ann:secret@h/k?password_file=f", {}, "a password and a password_file"],
  ["two variables", "ann@h/k", { password: "secret", passwordFile: "f" }, "RETO3_CASSANDRA_PASSWORD_FILE are both set"],
  ["an empty password", "ann:@h/k", { password: "secret" }, "an empty password"],
  ["an empty file name", "ann@h/k?password_file=", {}, "the parameter password_file is empty"],
  ["TLS without its check", "h/k?tls=insecure", {}, 'tls is "insecure", want on'],
  ["an authority without TLS", "h/k?ca=ca.pem", {}, "ca, cert and key want tls=on"],
  ["a certificate without its key", "h/k?tls=on&cert=c.pem", {}, "one of cert and key"],
  ["a parameter twice", "h/k?tls=on&ca=a&ca=b", {}, "a parameter is there twice"],
])("refused, with the reason: %s", (_, rest, outside, says) => {
  expect(() => parseCassandraUrl(`cassandra://${rest}`, outside)).toThrow(says);
  expect(() => parseCassandraUrl(`cassandra://${rest}`, outside)).not.toThrow("secret");
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
  ["a user and a password without a host", "cassandra://ann:secret/k"],
  ["a password with a slash in it", "cassandra://ann:pa/secret@h/k"],
  ["a password with digits and a slash in it", "cassandra://ann:12/secret@h/k"],
  ["a password with an @ in it", "cassandra://ann:secret@secret@h/k"],
  ["a password with an @ and a slash in it", "cassandra://ann:s@h/secret@h/k"],
  ["a password with a slash and a question mark in it", "cassandra://ann:1/s?secret@h/k"],
])("refused: %s", (_, address) => {
  expect(() => parseCassandraUrl(address)).toThrow("want cassandra://");
  try {
    parseCassandraUrl(address);
  } catch (error) {
    expect(String(error)).not.toContain("secret");
  }
});
