// SPDX-License-Identifier: Apache-2.0

// The client's modules import each other without extensions, as bundlers take
// it and Node doesn't. This finds them.

import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url); // the hooks run in a thread of their own

export async function resolve(specifier, context, next) {
  let failure;
  for (const ending of specifier.startsWith('.') ? ['', '.js', '/index.js'] : ['']) {
    try {
      return await next(specifier + ending, context);
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}
