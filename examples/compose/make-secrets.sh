#!/bin/sh
# Creates all secrets of this example, in ./secrets or in the directory of the first argument: a CA, certificates of the service, of
# PostgreSQL, of a caller and of an administrator, passwords, and the two keys of the service. Existing files are kept.
# Needs openssl, and `npm ci` in the root of the repository. The variable ECT replaces the command that runs `ect`.
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/secrets}"
cd "${1:-$here/secrets}"
secrets=$(pwd)
: "${ECT:=npm run --silent --prefix $here/../.. ect --}"

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

if [ ! -e ca.crt ]; then
  new_key ca.key
  openssl req -x509 -new -key ca.key -out ca.crt -days 3650 -subj '/CN=ECT example CA' \
    -addext keyUsage=critical,keyCertSign,cRLSign
fi

# certificate NAME SAN
certificate() {
  if [ -e "$1.crt" ]; then return; fi
  new_key "$1.key"
  printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' "$2" >extensions
  openssl req -new -key "$1.key" -subj "/CN=$1" -out request
  openssl x509 -req -in request -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile extensions -out "$1.crt" 2>/dev/null
  rm extensions request
}

certificate authority DNS:authority,DNS:localhost,IP:127.0.0.1
certificate postgres DNS:postgres,DNS:localhost,IP:127.0.0.1
certificate agent URI:spiffe://example.org/agent
certificate admin URI:spiffe://example.org/admin

for name in owner-password service-password; do
  if [ ! -e "$name" ]; then openssl rand -hex 24 >"$name"; fi
done

if [ ! -e signing-key.pem ]; then $ECT keygen --out "$secrets/signing-key.pem"; fi
if [ ! -e ledger.key ]; then $ECT keygen --ledger ect.example.org/ledger --out "$secrets/ledger.key"; fi

# The proxy runs as another user and reads this file.
chmod 644 ca.crt
