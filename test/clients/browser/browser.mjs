// SPDX-License-Identifier: Apache-2.0

// What people do in a browser with applications that sign in by the site: pages
// with the official auth0-js, and an application with openid-client on its server.
// What comes of each step is printed as a line of JSON: {name, result}.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import * as oidc from 'openid-client';

const { SITE, BRANCH, HOME_SITE, MAILS, SECRET, CHROMIUM, CERTIFICATE, KEY } = process.env;
const domain = SITE.replace('https://', '');
// An application with a server, a page of another site, and one of the same site
// at another port.
const APP = 'https://app.example.com';
const FAR = 'https://spa.example.com';
const NEAR = 'https://localhost:4443';

const print = (name, result) => console.log(JSON.stringify({ name, result }));

// mail waits for the nth message (from 1) to an address.
async function mail(to, nth = 1) {
  for (const end = Date.now() + 60_000; ;) {
    if (Date.now() > end) throw new Error(`message ${nth} to ${to} did not arrive`);
    let text = '';
    try { text = readFileSync(MAILS, 'utf8'); } catch { /* not yet there */ }
    const found = text.split('\n').slice(0, -1).map((line) => JSON.parse(line)).filter((m) => m.to === to);
    if (found.length >= nth) return found[nth - 1];
    await sleep(20);
  }
}
const other = (code) => code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);

const sdk = readFileSync('node_modules/auth0-js/dist/auth0.min.js');
const blank = '<!doctype html><title>app</title><link rel="icon" href="data:,"><script src="/auth0.min.js"></script>';

// posted are the forms that the application got.
const posted = [];

// All of them are on this server: each of their pages has auth0-js and nothing
// else.
const server = createServer({ cert: readFileSync(CERTIFICATE), key: readFileSync(KEY) }, (request, response) => {
  const script = request.url === '/auth0.min.js';
  if (request.method === 'POST') { // an answer by response_mode=form_post
    let body = '';
    request.on('data', (part) => { body += part; });
    request.on('end', () => {
      posted.push({ path: request.url, type: request.headers['content-type'], body });
      response.setHeader('Content-Type', 'text/html');
      response.end(blank);
    });
    return;
  }
  response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
  response.end(script ? sdk : blank);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const here = `127.0.0.1:${server.address().port}`;
const { hostname: homeHost, port: homePort } = new URL(HOME_SITE);
const rules = [`MAP ${homeHost}:${homePort} 127.0.0.1:${homePort}`, ...[APP, FAR, NEAR].map((origin) => {
  const { hostname, port } = new URL(origin);
  return `MAP ${hostname}:${port || 443} ${here}`;
})];

const browser = await chromium.launch({
  executablePath: CHROMIUM, args: ['--no-sandbox', `--host-resolver-rules=${rules.join(', ')}`],
});

// visit opens a new browser profile.
async function visit() {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-US' });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  return page;
}

// newClient makes window.client in a page of an application.
async function newClient(page, origin, clientID, options = {}) {
  await page.goto(`${origin}/`);
  await page.evaluate(([domain, clientID, redirectUri, options]) => {
    window.client = new auth0.WebAuth({
      domain, clientID, redirectUri, responseType: 'token id_token', scope: 'openid email', ...options,
    });
  }, [domain, clientID, `${origin}/callback`, options]);
}

// call runs a method of window.client with a callback.
const call = (page, method, options) => page.evaluate(([method, options]) => new Promise((resolve) => {
  window.client[method](options, (error, result) => resolve(error
    ? { error: error.code ?? error.error ?? String(error), description: error.description ?? error.error_description }
    : { result }));
}), [method, options]);

// login starts and logs in with a code, and returns what the callback page makes
// of the answer: auth0-js checks state and nonce, and the ID token by the site's
// keys.
async function login(page, origin, clientID, email, options = {}) {
  const started = await call(page, 'passwordlessStart', { connection: 'email', send: 'code', email });
  if (started.error) return started;
  const { code } = await mail(email);
  const wrong = await call(page, 'passwordlessLogin', { connection: 'email', email, verificationCode: other(code) });
  print(`${options.name}: a wrong code`, wrong);
  await page.evaluate(([email, verificationCode]) => {
    window.client.passwordlessLogin({ connection: 'email', email, verificationCode }, (error) => { window.failed = error; });
  }, [email, code]);
  if (options.confirm) await options.confirm();
  await page.waitForURL(`${origin}/callback*`);
  await newClientHere(page, origin, clientID);
  return call(page, 'parseHash', {});
}

const newClientHere = (page, origin, clientID) => page.evaluate(([domain, clientID, redirectUri]) => {
  window.client = new auth0.WebAuth({ domain, clientID, redirectUri, responseType: 'token id_token', scope: 'openid email' });
}, [domain, clientID, `${origin}/callback`]);

// brief is what is known beforehand of a result.
const brief = ({ error, description, result }) => error ? { error, description } : {
  email: result.idTokenPayload.email, aud: result.idTokenPayload.aud, iss: result.idTokenPayload.iss === `${SITE}/`,
  scope: result.scope ?? null, token: result.tokenType, refresh: result.refreshToken ?? null,
};

// signedIn is whether the browser has a session of the site's.
const signedIn = async (page) => (await page.request.get(`${SITE}/.otp/session`)).status() === 200;

// A page of another site.
{
  const page = await visit();
  await newClient(page, FAR, 'page');
  const result = await login(page, FAR, 'page', 'far@example.com', { name: 'cross-site' });
  print('cross-site: login', brief(result));
  print('cross-site: userinfo', await page.evaluate(([token]) => new Promise((resolve) => {
    window.client.client.userInfo(token, (error, user) => resolve(error ? { error } : { email: user.email }));
  }), [result.result.accessToken]));
  print('cross-site: signed in at the site', await signedIn(page));
}

// A page of the same site: it signs the browser in there too, and asks silently
// who is.
{
  const page = await visit();
  await newClient(page, NEAR, 'page');
  print('same-site: nobody', await call(page, 'checkSession', {}));
  print('same-site: login', brief(await login(page, NEAR, 'page', 'near@example.com', { name: 'same-site' })));
  print('same-site: signed in at the site', await signedIn(page));
  print('same-site: checkSession', brief(await call(page, 'checkSession', {})));

  // Signing out: at once for a page of the client.
  await page.evaluate(([returnTo]) => window.client.logout({ returnTo, clientID: 'page' }), [`${NEAR}/bye`]);
  await page.waitForURL(`${NEAR}/bye`);
  print('same-site: after the logout', await signedIn(page));
}

// A page on the site's own host, as a customized login page is.
{
  const own = `${SITE}/hosted`;
  const page = await visit();
  await page.route(`${own}/login`, (route) => route.fulfill({ contentType: 'text/html', body: blank }));
  await page.route(`${SITE}/auth0.min.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: sdk }));
  await page.goto(`${own}/login`);
  await page.evaluate(([domain, redirectUri]) => {
    window.client = new auth0.WebAuth({ domain, clientID: 'page', redirectUri, responseType: 'token id_token', scope: 'openid email', state: 'st', nonce: 'no' });
  }, [domain, `${FAR}/callback`]);
  const email = 'hosted@example.com';
  await call(page, 'passwordlessStart', { connection: 'email', send: 'code', email });
  const { code } = await mail(email);
  print('hosted: a wrong code', await call(page, 'passwordlessLogin', { connection: 'email', email, verificationCode: other(code) }));
  await page.evaluate(([email, verificationCode]) => {
    window.client.passwordlessLogin({ connection: 'email', email, verificationCode }, (error) => { window.failed = error; });
  }, [email, code]);
  await page.waitForURL(`${SITE}/passwordless/verify_redirect*`);
  print('hosted: asked first', await signedIn(page));
  await page.click('button');
  await page.waitForURL(`${FAR}/callback*`);
  await newClientHere(page, FAR, 'page');
  print('hosted: login', brief(await call(page, 'parseHash', { state: 'st', nonce: 'no' })));
  print('hosted: signed in at the site', await signedIn(page));
}

// A magic link.
{
  const page = await visit();
  await newClient(page, FAR, 'page');
  const email = 'link@example.com';
  await call(page, 'passwordlessStart', {
    connection: 'email', send: 'link', email, authParams: { responseType: 'token id_token', scope: 'openid email', state: 'st', nonce: 'no' },
  });
  const { link } = await mail(email);
  const scanner = await visit();
  for (let i = 0; i < 3; i++) {
    await scanner.goto(link);
    await scanner.request.fetch(link, { method: 'HEAD' });
  }
  print('link: by scanners', await signedIn(scanner));
  await page.goto(link);
  await page.click('button');
  await page.waitForURL(`${FAR}/callback*`);
  await newClientHere(page, FAR, 'page');
  print('link: login', brief(await call(page, 'parseHash', { state: 'st', nonce: 'no' })));
  await scanner.goto(link);
  const [answer] = await Promise.all([scanner.waitForResponse((r) => r.request().method() === 'POST'), scanner.click('button')]);
  print('link: again', answer.status());
}

// An application with a standard library on its server.
{
  for (const [clientID, authentication] of [['web', oidc.ClientSecretPost(SECRET)], ['web', oidc.ClientSecretBasic(SECRET)], ['native', oidc.None()]]) {
    const name = `${authentication === undefined ? '' : clientID} ${print.count = (print.count ?? 0) + 1}`;
    const config = await oidc.discovery(new URL(SITE), clientID, undefined, authentication);
    const page = await visit();
    const email = `oidc${print.count}@example.com`;

    // authorize sends the browser to the site and returns the tokens that the
    // application gets for what comes back. The library checks them.
    async function authorize(parameters, steps) {
      const verifier = oidc.randomPKCECodeVerifier(), state = oidc.randomState(), nonce = oidc.randomNonce();
      const url = oidc.buildAuthorizationUrl(config, {
        redirect_uri: `${APP}/callback`, scope: 'openid email profile offline_access', state, nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...parameters,
      });
      await page.goto(url.href);
      await steps?.();
      await page.waitForURL(`${APP}/callback*`);
      try {
        return await oidc.authorizationCodeGrant(config, new URL(page.url()), {
          pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
          maxAge: parameters.max_age === undefined ? undefined : Number(parameters.max_age),
        });
      } catch (e) {
        return { error: e.error ?? e.code ?? e.message };
      }
    }
    const signIn = (nth) => async () => {
      await page.fill('#address', email);
      await page.click('button');
      await page.fill('input[name=code]', (await mail(email, nth)).code);
      await page.click('form button');
    };
    print(`${name}: nobody, silently`, await authorize({ prompt: 'none' }));
    const tokens = await authorize({}, signIn(1));
    const claims = tokens.claims?.() ?? tokens;
    print(`${name}: login`, { email: claims.email, aud: claims.aud, iss: claims.iss === `${SITE}/`, scope: tokens.scope });
    print(`${name}: userinfo`, (await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)).email);
    print(`${name}: refresh`, (await oidc.refreshTokenGrant(config, tokens.refresh_token)).claims().email);
    print(`${name}: silently`, (await authorize({ prompt: 'none' })).claims?.().email);
    print(`${name}: again`, (await authorize({ max_age: '3600' })).claims?.().email);
    print(`${name}: prompt=login`, (await authorize({ prompt: 'login' }, signIn(2))).claims?.().email);
    await page.goto(oidc.buildEndSessionUrl(config, { post_logout_redirect_uri: `${APP}/bye`, state: 'st' }).href);
    await page.click('button');
    await page.waitForURL(`${APP}/bye?state=st`);
    print(`${name}: after the logout`, await signedIn(page));
    await page.goto(oidc.buildAuthorizationUrl(config, { redirect_uri: 'https://evil.example/callback', scope: 'openid' }).href);
    print(`${name}: an unregistered callback`, new URL(page.url()).origin === SITE);
    await page.context().close();
  }
}

// The hybrid flows, by the fragment and by a form that the site's page posts. The
// library checks the ID token that comes with the code, and its c_hash; at_hash,
// which it leaves alone, is checked here.
{
  const page = await visit();
  const email = 'hybrid@example.com';
  const half = (text) => createHash('sha256').update(text).digest().subarray(0, 16).toString('base64url');
  const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));
  let signedInAlready = false;
  for (const response_type of ['code', 'code id_token', 'code token', 'code id_token token']) {
    for (const response_mode of ['fragment', 'form_post']) {
      const name = `${response_type}, ${response_mode}`;
      const config = await oidc.discovery(new URL(SITE), 'web', undefined, oidc.ClientSecretPost(SECRET));
      const hybrid = response_type.includes('id_token');
      if (hybrid) oidc.useCodeIdTokenResponseType(config);
      const verifier = oidc.randomPKCECodeVerifier(), state = oidc.randomState(), nonce = oidc.randomNonce();
      await page.goto(oidc.buildAuthorizationUrl(config, {
        redirect_uri: `${APP}/callback`, scope: 'openid email', state, nonce, response_type, response_mode,
        code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
      }).href);
      if (!signedInAlready) {
        await page.fill('#address', email);
        await page.click('button');
        await page.fill('input[name=code]', (await mail(email)).code);
        await page.click('form button');
        signedInAlready = true;
      }
      await page.waitForURL(`${APP}/callback*`);
      let came, values;
      if (response_mode === 'form_post') {
        const { path, type, body } = posted.pop();
        came = new Request(`${APP}${path}`, { method: 'POST', headers: { 'Content-Type': type }, body });
        values = new URLSearchParams(body);
      } else {
        came = new URL(page.url());
        values = new URLSearchParams(came.hash.slice(1));
        if (!hybrid) came = new URL(`${APP}/callback?${new URLSearchParams(['code', 'state', 'iss'].map((name) => [name, values.get(name)]))}`);
      }
      const result = { names: [...values.keys()].sort().join(' ') };
      try {
        const tokens = await oidc.authorizationCodeGrant(config, came, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true });
        result.email = tokens.claims().email;
        result.sub = (await oidc.fetchUserInfo(config, values.get('access_token') ?? tokens.access_token, tokens.claims().sub)).sub === tokens.claims().sub;
      } catch (e) {
        result.error = e.cause?.message ?? e.message;
      }
      if (hybrid) {
        const { c_hash, at_hash } = claimsOf(values.get('id_token'));
        result.c_hash = c_hash === half(values.get('code'));
        result.at_hash = values.has('access_token') ? at_hash === half(values.get('access_token')) : at_hash ?? null;
      }
      print(`hybrid: ${name}`, result);
    }
  }
  // A library that is given another code must refuse the ID token.
  const config = await oidc.discovery(new URL(SITE), 'web', undefined, oidc.ClientSecretPost(SECRET));
  oidc.useCodeIdTokenResponseType(config);
  const state = oidc.randomState(), nonce = oidc.randomNonce();
  await page.goto(oidc.buildAuthorizationUrl(config, { redirect_uri: `${APP}/callback`, scope: 'openid', state, nonce, response_type: 'code id_token' }).href);
  const swapped = new URL(page.url());
  const values = new URLSearchParams(swapped.hash.slice(1));
  values.set('code', 'another');
  swapped.hash = values;
  const refused = await oidc.authorizationCodeGrant(config, swapped, { expectedState: state, expectedNonce: nonce }).catch((e) => e);
  print('hybrid: another code', /c_hash/.test(refused.message + refused.cause?.message));
  // A refusal is posted too.
  await page.goto(oidc.buildAuthorizationUrl(config, { redirect_uri: `${APP}/callback`, scope: 'openid', state, response_type: 'code id_token', response_mode: 'form_post' }).href);
  await page.waitForURL(`${APP}/callback*`);
  print('hybrid: no nonce', new URLSearchParams(posted.pop().body).get('error'));
  // A page of the application posts the request (OpenID Connect Core §3.1.2.1):
  // who is signed in still is.
  await page.goto(`${APP}/`);
  await page.evaluate(([action, fields]) => {
    const form = Object.assign(document.createElement('form'), { method: 'post', action });
    for (const [name, value] of Object.entries(fields)) form.append(Object.assign(document.createElement('input'), { name, value }));
    document.body.append(form);
    form.submit();
  }, [`${SITE}/authorize`, { client_id: 'web', redirect_uri: `${APP}/callback`, scope: 'openid', response_type: 'code', state }]);
  await page.waitForURL(`${APP}/callback*`);
  print('posted request', [...new URL(page.url()).searchParams.keys()].sort().join(' '));
}

// A site whose realm signs in at another: a demand for a new login is met there.
{
  const page = await visit();
  const email = 'home@example.com';
  const config = await oidc.discovery(new URL(BRANCH), 'web', undefined, oidc.ClientSecretPost(SECRET));
  let nth = 0;
  const signIn = async () => {
    await page.fill('#address', email);
    await page.click('button');
    await page.fill('input[name=code]', (await mail(email, ++nth)).code);
    await page.click('form button');
  };
  async function authorize(parameters, steps) {
    const verifier = oidc.randomPKCECodeVerifier(), state = oidc.randomState(), nonce = oidc.randomNonce();
    await page.goto(oidc.buildAuthorizationUrl(config, {
      redirect_uri: `${APP}/callback`, scope: 'openid email', state, nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...parameters,
    }).href);
    await steps?.();
    await page.waitForURL(`${APP}/callback*`);
    const tokens = await oidc.authorizationCodeGrant(config, new URL(page.url()), {
      pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
      maxAge: parameters.max_age === undefined ? undefined : Number(parameters.max_age),
    }).catch((e) => ({ claims: () => ({ error: e.error ?? e.code ?? e.message }) }));
    return tokens.claims();
  }
  const compare = (before, after) => after.error ?? (after.auth_time === before.auth_time ? 'same login' : 'new login');
  const first = await authorize({}, signIn);
  print('home: login', { email: first.email ?? first.error, age: Math.abs(Date.now() / 1000 - first.auth_time) < 60 });
  print('home: again', compare(first, await authorize({})));
  await sleep(12_000); // a login of less than ten seconds before is new: clocks may differ by that
  const second = await authorize({ prompt: 'login', login_hint: email, ui_locales: 'de' }, async () => {
    print('home: the login page', {
      at: page.url().startsWith(`${HOME_SITE}/`) ? 'home' : page.url(), lang: await page.getAttribute('html', 'lang'),
      address: await page.inputValue('#address'), path: new URL(page.url()).pathname,
    });
    await signIn();
  });
  print('home: prompt=login', compare(first, second));
  await sleep(12_000);
  print('home: max_age', compare(second, await authorize({ max_age: '1' }, signIn)));
}

await browser.close();
server.close();
