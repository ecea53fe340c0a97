# Conversations that no lawful client has, by tlslite-ng, which lets every message be changed before it is sent.
#
#   conversations.py PORT PLAIN STRICT KNOWN STRANGE
#
# PLAIN and STRICT are host names on 127.0.0.1:PORT; STRICT asks for client certificates. KNOWN and STRANGE are folders
# with cert.pem and key.pem: one of the authority that STRICT knows, and one of another. Prints a line of JSON for each
# conversation, in which `said` is what came of it:
#
#   "200 new", "421 resumed"     the status that a request got, and whether the session was resumed
#   "alert decrypt_error"        the gateway ended the connection with that alert
#   "closed"                     it ended the connection without one
#   "whole handshake"            it did not resume where tlslite-ng takes a ticket of TLS 1.2 for accepted once shown,
#                                and is surprised by a certificate

import json
import os
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import AlertDescription, ContentType
from tlslite.errors import TLSAbruptCloseError, TLSError, TLSLocalAlert, TLSRemoteAlert
from tlslite.messages import ApplicationData, CertificateVerify, Finished, Message

PORT = int(sys.argv[1])
PLAIN, STRICT = sys.argv[2:4]
WAIT_S = 10


def pair(folder):
    with open(os.path.join(folder, 'cert.pem')) as text:
        chain = X509CertChain()
        chain.parsePemList(text.read())
    with open(os.path.join(folder, 'key.pem')) as text:
        return chain, parsePEMKey(text.read(), private=True)


KNOWN, STRANGE = pair(sys.argv[4]), pair(sys.argv[5])
TLS12, TLS13 = (3, 3), (3, 4)


def name_of(alert):
    return AlertDescription.toRepr(alert) or str(alert)


class Client:
    """One connection; `said` is how it ended."""

    def __init__(self, version, name, shown=None, session=None):
        self.said = ''
        self.session = None
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = version
        settings.certificate_compression_send = []
        settings.certificate_compression_receive = []
        self.settings = settings
        self.name, self.shown, self.resumes = name, shown, session
        raw = socket.create_connection(('127.0.0.1', PORT), WAIT_S)
        self.tls = TLSConnection(raw)
        self.tls.closeSocket = True

    def attempt(self, *steps):
        try:
            for step in steps:
                step()
        except TLSRemoteAlert as fault:
            self.said = 'alert ' + name_of(fault.description)
        except (TLSAbruptCloseError, ConnectionError, socket.timeout) as fault:
            self.said = 'closed' if not isinstance(fault, socket.timeout) else 'silence'
        except TLSLocalAlert as fault:
            unasked = fault.description == AlertDescription.unexpected_message
            whole = unasked and self.resumes is not None
            self.said = 'whole handshake' if whole else 'we refused: %s' % fault
        except TLSError as fault:
            self.said = 'fault: %r' % fault
        self.tls.sock.close()
        return self

    def shake(self):
        chain, key = self.shown or (None, None)
        if self.resumes is not None:
            # tlslite-ng itself resumes only what was closed well, and under the same name.
            self.resumes.resumable = True
            self.resumes.serverName = self.name
        self.tls.handshakeClientCert(
            chain, key, session=self.resumes, settings=self.settings, serverName=self.name
        )

    def ask(self):
        request = 'GET / HTTP/1.1\r\nHost: %s\r\n\r\n' % self.name
        self.tls.send(request.encode())
        head = bytes(self.tls.read(min=12, max=65536))
        if not head.startswith(b'HTTP/1.1 '):
            self.said = 'closed' if head == b'' else 'odd answer'
            return
        self.session = self.tls.session
        how = 'resumed' if self.tls.resumed else 'new'
        self.said = '%s %s' % (head[9:12].decode(), how)

    def whole(self):
        return self.attempt(self.shake, self.ask)


class Changed:
    """Within `with`, what `owner.name` does is passed through `change`."""

    def __init__(self, owner, name, change):
        self.owner, self.name, self.change = owner, name, change

    def __enter__(self):
        before = self.before = getattr(self.owner, self.name)
        change = self.change
        setattr(self.owner, self.name, lambda *a, **k: change(before, *a, **k))

    def __exit__(self, *_):
        setattr(self.owner, self.name, self.before)


def flipped(data):
    data = bytearray(data)
    data[len(data) // 2] ^= 1
    return data


def tickets_of(session):
    return session.tls_1_0_tickets if session.tls_1_0_tickets else session.tickets


def session_for(version, name, shown=None):
    client = Client(version, name, shown).whole()
    if client.session is None:
        raise RuntimeError('no session: ' + client.said)
    return client.session


# ---- the conversations; each returns what was said


def plain(version):
    return Client(version, PLAIN).whole().said


def resumed(version):
    return Client(version, PLAIN, session=session_for(version, PLAIN)).whole().said


def known_certificate(version):
    return Client(version, STRICT, KNOWN).whole().said


def resumed_with_certificate(version):
    return Client(version, STRICT, session=session_for(version, STRICT, KNOWN)).whole().said


def no_certificate(version):
    return Client(version, STRICT).whole().said


def strange_certificate(version):
    return Client(version, STRICT, STRANGE).whole().said


def stolen_certificate(version):
    """The certificate of somebody else, signed for with a key of one's own."""
    client = Client(version, STRICT, (KNOWN[0], STRANGE[1]))
    return client.whole().said


def changed_proof(version):
    """The right key, but the signature has a bit that is not."""

    def change(create, self, signature, *rest):
        return create(self, flipped(signature), *rest)

    with Changed(CertificateVerify, 'create', change):
        return Client(version, STRICT, KNOWN).whole().said


def no_proof(version):
    """The certificate is shown, and CertificateVerify is left out."""
    client = Client(version, STRICT, KNOWN)
    send = client.tls._sendMsg

    def skip(message, *args, **kwargs):
        if isinstance(message, CertificateVerify):
            return iter(())
        return send(message, *args, **kwargs)

    client.tls._sendMsg = skip
    return client.whole().said


def other_identity(version):
    """A session of a name that asks for nothing, offered to one that asks for a certificate."""
    return Client(version, STRICT, session=session_for(version, PLAIN)).whole().said


def certificate_elsewhere(version):
    """The session of a client with a certificate is worth nothing under another name's options."""
    return Client(version, PLAIN, session=session_for(version, STRICT, KNOWN)).whole().said


def changed_ticket(version):
    session = session_for(version, PLAIN)
    for ticket in tickets_of(session):
        ticket.ticket = flipped(ticket.ticket)
    return Client(version, PLAIN, session=session).whole().said


def changed_secret(version):
    """A ticket that is good, of whose secret the client knows nothing."""
    session = session_for(version, PLAIN)
    if version == TLS13:
        session.resumptionMasterSecret = flipped(session.resumptionMasterSecret)
    else:
        session.masterSecret = flipped(session.masterSecret)
    return Client(version, PLAIN, session=session).whole().said


def changed_finished(version):
    def change(create, self, data):
        return create(self, flipped(data))

    with Changed(Finished, 'create', change):
        return Client(version, PLAIN).whole().said


def data_before_finished(version):
    client = Client(version, PLAIN)
    send = client.tls._sendMsg

    def early(message, *args, **kwargs):
        if isinstance(message, Finished):
            message = ApplicationData().create(bytearray(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
        return send(message, *args, **kwargs)

    client.tls._sendMsg = early
    return client.whole().said


def hello_again(version):
    """A second ClientHello on a connection that serves already."""
    client = Client(version, PLAIN)

    def again():
        hello = bytearray(b'\x01\x00\x00\x2b\x03\x03') + bytearray(32)
        hello += bytearray(b'\x00\x00\x02\x13\x01\x01\x00\x00\x00')
        for _ in client.tls._sendMsg(Message(ContentType.handshake, hello)):
            pass
        client.ask()

    return client.attempt(client.shake, again).said


def keys_again(version):
    """A client of TLS 1.3 may change its keys, and ask the gateway to."""
    client = Client(version, PLAIN)

    def again():
        for _ in client.tls.send_keyupdate_request(1):
            pass

    return client.attempt(client.shake, again, client.ask).said


BOTH = [
    plain,
    resumed,
    known_certificate,
    resumed_with_certificate,
    no_certificate,
    strange_certificate,
    stolen_certificate,
    changed_proof,
    no_proof,
    other_identity,
    certificate_elsewhere,
    changed_ticket,
    changed_secret,
    changed_finished,
    data_before_finished,
    hello_again,
]


def tell(conversation, version):
    try:
        said = conversation(version)
    except Exception as fault:  # of this script or of tlslite-ng: told, and the others go on
        said = 'broken: %r' % fault
    label = 'TLS 1.2' if version == TLS12 else 'TLS 1.3'
    line = {'name': conversation.__name__, 'version': label, 'said': said}
    print(json.dumps(line), flush=True)


for each in BOTH:
    tell(each, TLS12)
    tell(each, TLS13)
tell(keys_again, TLS13)
