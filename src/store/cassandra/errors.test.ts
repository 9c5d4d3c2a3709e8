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

test("nobody says that nothing was done where one of the nodes may have done it", () => {
  const mayHave = new driverErrors.OperationTimedOutError("no answer");
  for (const text of ["Unable to perform authentication: no quorum", "Provided username ann is incorrect"]) {
    const inner = { "10.0.0.1:9042": mayHave, "10.0.0.2:9042": new driverErrors.AuthenticationError(text) };
    expect(storeError(new driverErrors.NoHostAvailableError(inner)).code).toBe("STORE_UNKNOWN");
  }
  const other = new driverErrors.ResponseError(
    types.responseErrorCodes.serverError,
    `Unable to perform auth ${NO_QUORUM}`,
  );
  expect(storeError(other).code).toBe("STORE_UNKNOWN");
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
