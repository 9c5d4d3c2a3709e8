import { errors as driverErrors, types } from "cassandra-driver";
import { describe, expect, test } from "bun:test";
import { isAway, storeError, whyRejected } from "./errors.ts";

const NO_QUORUM = "Cannot achieve consistency level LOCAL_ONE";

describe("a cluster that cannot tell who may do what", () => {
  test("refuses nothing for good: a later attempt may succeed", () => {
    const text = `Unable to perform authorization of permissions: ${NO_QUORUM}`;
    const error = storeError(new driverErrors.ResponseError(types.responseErrorCodes.unauthorized, text));
    expect([error.code, error.hint]).toEqual(["STORE_UNAVAILABLE", undefined]);
  });

  test("is away, and has not refused the password", () => {
    const inner = new driverErrors.AuthenticationError(`Unable to perform authentication: ${NO_QUORUM}`);
    const error = new driverErrors.NoHostAvailableError({ "10.0.0.1:9042": inner });
    expect([isAway(error), whyRejected(error), storeError(error).code]).toEqual([true, undefined, "STORE_UNAVAILABLE"]);
  });
});

test("a password that is wrong, and a right that is missing, are for good", () => {
  const inner = new driverErrors.AuthenticationError("Provided username ann and/or password are incorrect");
  const error = new driverErrors.NoHostAvailableError({ "10.0.0.1:9042": inner });
  expect([isAway(error), whyRejected(error), storeError(error).code]).toEqual([false, "login", "STORE_REFUSED"]);
  const text = "User ann has no SELECT permission on <table reto3.claims> or any of its parents";
  const missing = storeError(new driverErrors.ResponseError(types.responseErrorCodes.unauthorized, text));
  expect([missing.code, missing.hint]).toEqual([
    "STORE_REFUSED",
    expect.stringContaining("GRANT SELECT ON KEYSPACE reto3 TO ann"),
  ]);
});
