// SPDX-License-Identifier: Apache-2.0

// Calls the official client as it is told on standard input, one JSON object a
// line: {"device": name, "call": method, "args": [...]}. Each device is a client
// with a storage of its own. What comes of a call is answered in one line.

import { createInterface } from 'node:readline';
import { AuthClient, MemoryStorage } from '@ackplus/nest-auth-client';

const [baseUrl] = process.argv.slice(2);
const devices = new Map();

function client(device) {
  if (!devices.has(device)) {
    devices.set(device, new AuthClient({ baseUrl, storage: new MemoryStorage(), accessTokenType: 'header' }));
  }
  return devices.get(device);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { device, call, args } = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await client(device)[call](...args)) ?? null };
  } catch (error) {
    const { message, code, statusCode, kind } = error;
    answer = { error: { message, code, statusCode, kind } };
  }
  answer.authenticated = client(device).getIsAuthenticated();
  process.stdout.write(JSON.stringify(answer) + '\n');
}
