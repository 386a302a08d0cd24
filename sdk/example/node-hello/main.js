#!/usr/bin/env node
// node-hello is an add-on in Node, without an SDK: one public page that greets
// with the biller's name. goplugin.js has what every such add-on needs.
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { load, log, serve } from './goplugin.js';

const ID = 'node-hello';
const VERSION = '1.0.0';
const CALL_TIME = 10_000; // ms for a call of the host's services

const protos = path.join(import.meta.dirname, '..', '..', 'proto');
const { addon: { v1: api } } = load(
  ['lifecycle', 'pages', 'host'].map((name) => `addon/v1/${name}.proto`), protos);

let state = 'new'; // then starting, serving, draining
let billers; // the host's service
let busy = 0; // calls under way
let idle = () => {}; // called when busy becomes 0

const refusal = () => ({
  code: grpc.status.UNAVAILABLE,
  details: state === 'draining' ? 'The add-on is stopping.' : 'The add-on has not started yet.',
});

// unary wraps an async function that takes a request: it refuses calls before
// Start and after Drain, and counts the others.
function unary(answer) {
  return (call, done) => {
    if (state !== 'serving') return done(refusal());
    enter();
    return answer(call.request).then((res) => done(null, res), (err) => done(failure(err))).finally(leave);
  };
}

function enter() { busy += 1; }

function leave() {
  busy -= 1;
  if (busy === 0) idle();
}

// failure hides the text of what went wrong and logs it.
function failure(err) {
  if (err.code !== undefined && err.details !== undefined) return err;
  log('error', 'call failed', { error: String(err) });
  return { code: grpc.status.INTERNAL, details: 'Something went wrong on our side. Please try again.' };
}

function start(dial) {
  return (call, done) => {
    if (state !== 'new') {
      return done({ code: grpc.status.ALREADY_EXISTS, details: 'The add-on was started before.' });
    }
    state = 'starting';
    return dial(api.Billers, call.request.host_broker_id).then((client) => {
      billers = client;
      state = 'serving';
      done(null, { capabilities: ['pages'] });
    }, (err) => done(failure(err)));
  };
}

// enable takes a stream of billers; there is nothing to prepare for one.
function enable(call, done) {
  if (state !== 'serving') return done(refusal());
  call.on('data', () => {});
  return call.on('end', () => done(null, { failed: {} }));
}

async function drain() {
  state = 'draining';
  if (busy > 0) await new Promise((resolve) => { idle = resolve; });
}

// biller asks the host, with the token of the request.
function biller(token) {
  const metadata = new grpc.Metadata();
  metadata.set('addon-token', token);
  return new Promise((resolve, reject) => {
    billers.Get({}, metadata, { deadline: Date.now() + CALL_TIME }, (err, res) => (err ? reject(err) : resolve(res)));
  });
}

// page answers one HTTP request.
async function page(head) {
  if (head.path !== '/') return text(404, 'There is no such page.');
  if (head.method !== 'GET' && head.method !== 'HEAD') return text(405, 'This page can only be read.');
  try {
    const { name } = await biller(head.call.request_token);
    return html(200, `<!doctype html><title>Hello</title><h1>Hello, ${escape(name)}</h1>\n`);
  } catch (err) {
    log('warn', 'biller not read', { code: String(err.code), request_id: head.call.request_id });
    return text(503, 'The platform does not answer. Please try again.');
  }
}

const html = (status, body) => ({ status, body, type: 'text/html; charset=utf-8' });

const text = (status, body) => ({ status, body: body + '\n', type: 'text/plain; charset=utf-8' });

const escape = (s) => s.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

// servePage answers on one stream: the first message has the head; what follows
// is the request's body, which this add-on does not need.
function servePage(call) {
  if (state !== 'serving') return fail(call, refusal());
  enter();
  let under = true;
  for (const end of ['finish', 'error', 'cancelled', 'close']) { // answered, refused, or the browser has gone
    call.on(end, () => { if (under) leave(); under = false; });
  }
  return call.once('data', (first) => {
    call.resume();
    const { head } = first;
    if (!head) return fail(call, { code: grpc.status.INVALID_ARGUMENT, details: 'The request has no head.' });
    if (head.surface !== 'SURFACE_PUBLIC') {
      return fail(call, { code: grpc.status.UNIMPLEMENTED, details: 'no such surface' });
    }
    return page(head).then((answer) => send(call, head.method, answer), (err) => fail(call, failure(err)));
  });
}

function send(call, method, { status, body, type }) {
  call.write({
    head: { status, headers: [{ key: 'Content-Type', values: [type] }] },
    body: method === 'HEAD' ? Buffer.alloc(0) : Buffer.from(body),
    end: true,
  });
  call.end();
}

function fail(call, err) { call.emit('error', err); }

await serve({
  name: `${ID} ${VERSION}`,
  drain,
  register(server, dial) {
    server.addService(api.Lifecycle.service, {
      Describe: (call, done) => done(null, { id: ID, version: VERSION, sdk_version: '', features: [] }),
      Start: start(dial),
      Enable: enable,
      Disable: unary(async () => ({})),
      Purge: unary(async () => ({})),
      Drain: (call, done) => drain().then(() => done(null, {})),
      Stop: (call, done) => { billers?.close(); done(null, {}); },
    });
    server.addService(api.Pages.service, { Serve: servePage });
  },
});
