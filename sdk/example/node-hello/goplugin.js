// The process side of an add-on: handshake, certificates, broker, lifeline and
// log, as hashicorp/go-plugin's host expects them.
import 'reflect-metadata';
import { KeyObject, randomBytes, webcrypto } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import * as x509 from '@peculiar/x509';

const COOKIE = ['BILLING_ADDON', 'f7c0f1f4-6f39-4b1c-9a77-2b9a4f0a5d61'];
const CORE_VERSION = 1; // of go-plugin's handshake
const WIRE_VERSION = 1; // of the add-on's services
const MAX_MESSAGE = 8 << 20;
const BROKER_PATIENCE = 5000; // ms
const SHUTDOWN_PATIENCE = 1000; // ms; the host kills after 2 seconds

const limits = {
  'grpc.max_receive_message_length': MAX_MESSAGE,
  'grpc.max_send_message_length': MAX_MESSAGE,
};

// load reads proto files and returns their packages.
export function load(files, dir) {
  return grpc.loadPackageDefinition(loader.loadSync(files, {
    includeDirs: [dir], keepCase: true, longs: String, enums: String, defaults: true, oneofs: true,
  }));
}

const own = load(['go_plugin.proto', 'health.proto'], path.join(import.meta.dirname, 'proto'));

// log writes a line that the host adds to its own log. All four are strings.
export function log(level, message, fields = {}) {
  const line = { '@timestamp': new Date().toISOString(), '@level': level, '@message': message, ...fields };
  process.stderr.write(JSON.stringify(line) + '\n');
}

// serve runs the program until the host ends it. register adds the add-on's
// services to the server and may dial the host's services with the function it
// gets; drain is
// called when the host's operator ends the process.
export async function serve({ name, register, drain }) {
  if (process.env[COOKIE[0]] !== COOKIE[1]) {
    process.stderr.write(`${name} is an add-on: a billing platform's host starts it.\n`);
    process.exit(1);
  }
  console.log = console.info = console.error; // stdout is the handshake's
  watchLifeline();
  const identity = await makeIdentity();
  const server = new grpc.Server(limits);
  const broker = new Broker(identity);
  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR || os.tmpdir(), `addon-${randomBytes(8).toString('hex')}`);
  process.on('exit', () => fs.rmSync(socket, { force: true }));
  const end = () => {
    setTimeout(() => process.exit(0), SHUTDOWN_PATIENCE).unref();
    server.tryShutdown(() => process.exit(0));
  };

  server.addService(own.plugin.GRPCBroker.service, { StartStream: (call) => broker.listen(call) });
  server.addService(own.plugin.GRPCController.service, {
    Shutdown: (call, done) => { done(null, {}); end(); },
  });
  server.addService(own.grpc.health.v1.Health.service, {
    Check: (call, done) => (call.request.service === 'plugin'
      ? done(null, { status: 'SERVING' })
      : done({ code: grpc.status.NOT_FOUND, details: 'unknown service' })),
  });
  register(server, (Client, id) => broker.dial(Client, id));

  process.on('SIGINT', () => {}); // meant for the host, which ends this process
  process.on('SIGTERM', () => drain().then(end));
  await listen(server, socket, identity);
  // go-plugin reads this one line: versions, address, protocol, certificate.
  const cert = identity.der.toString('base64').replace(/=+$/, '');
  fs.writeSync(1, `${CORE_VERSION}|${WIRE_VERSION}|unix|${socket}|grpc|${cert}\n`);
}

function listen(server, socket, identity) {
  const pair = { private_key: identity.key, cert_chain: identity.cert };
  const credentials = grpc.ServerCredentials.createSsl(identity.host, [pair], true);
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, credentials, (err) => (err ? reject(err) : resolve()));
  });
}

// watchLifeline ends the process when the host's end of the pipe is closed,
// which the kernel does however the host ends.
function watchLifeline() {
  if (!process.env.ADDON_LIFELINE_FD) return;
  const gone = () => process.exit(3);
  const pipe = new net.Socket({ fd: Number(process.env.ADDON_LIFELINE_FD), readable: true, writable: false });
  pipe.on('end', gone).on('error', gone).resume();
}

// makeIdentity makes the certificate that this process shows to the host, as
// server and as client. Each side trusts exactly the other's certificate.
async function makeIdentity() {
  const host = process.env.PLUGIN_CLIENT_CERT;
  if (!host) throw new Error('PLUGIN_CLIENT_CERT is missing: this add-on speaks TLS only');
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const now = Date.now();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01' + randomBytes(15).toString('hex'),
    name: 'CN=localhost',
    notBefore: new Date(now - 30_000),
    notAfter: new Date(now + 30 * 365 * 86_400_000),
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  });
  return {
    host: Buffer.from(host),
    der: Buffer.from(cert.rawData),
    cert: Buffer.from(cert.toString('pem')),
    key: Buffer.from(KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' })),
  };
}

// Broker learns from the host at which socket a numbered connection waits.
class Broker {
  constructor(identity) {
    this.identity = identity;
    this.addresses = new Map();
    this.waiting = new Map();
  }

  listen(call) {
    call.on('data', (info) => {
      const address = info.network === 'unix' ? `unix:${info.address}` : `dns:${info.address}`;
      this.addresses.set(info.service_id, address);
      this.waiting.get(info.service_id)?.(address);
    });
    call.on('end', () => call.end());
    call.on('error', () => {}); // the host has gone; the lifeline tells
  }

  // dial returns a function that makes clients of the numbered connection.
  async dial(Client, id) {
    const address = this.addresses.get(id) ?? await this.wait(id);
    const { host, key, cert } = this.identity;
    return new Client(address, grpc.credentials.createSsl(host, key, cert), {
      ...limits, 'grpc.ssl_target_name_override': 'localhost', 'grpc.default_authority': 'localhost',
    });
  }

  wait(id) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the host offers no connection')), BROKER_PATIENCE);
      this.waiting.set(id, (address) => { clearTimeout(late); resolve(address); });
    });
  }
}
