"""The signing keys that a ledger announces, in the order of its entries."""

import tokens

KEY_SCOPE = "†keys"
CERTIFICATE_TYPE = "ect-key+jwt"


class AnnouncedKeys:
    def __init__(self):
        self._public = {}
        self._active = set()
        self._roots = set()

    def read(self, index, leaf, findings):
        """Takes in an entry about a key."""
        kid, state, jwk = leaf.get("kid"), leaf.get("state"), leaf.get("jwk", {})
        if tokens.thumbprint(jwk) != kid:
            findings.add("altered", f"entry {index} names key {kid}, which is another")
            return
        if state == "announced":
            if not self._is_certified(leaf):
                findings.add("unannounced_keys", f"entry {index} announces {kid}, which no root key certified")
            self._public[kid] = tokens.public_key(jwk)
            if "certificate" not in leaf:
                self._roots.add(kid)
        elif state == "active":
            if kid not in self._public:
                findings.add("unannounced_keys", f"entry {index} makes {kid} active, which was not announced")
            self._active.add(kid)

    def _is_certified(self, leaf):
        """Root keys are announced by number; any other is certified by a root key that is active."""
        certificate = leaf.get("certificate")
        if certificate is None:
            return "generation" in leaf
        try:
            root = tokens.split(certificate)[0].get("kid")
            if root not in self._roots or root not in self._active:
                return False
            claims = tokens.check(certificate, self._public[root], CERTIFICATE_TYPE)[1]
        except tokens.BadToken:
            return False
        return claims.get("kid") == leaf["kid"] and tokens.thumbprint(claims["jwk"]) == leaf["kid"]

    def active(self, kid):
        """The public key of this name, where it may sign by now."""
        return self._public.get(kid) if kid in self._active else None

    def copy_into(self, other):
        other._public.update(self._public)
        other._active.update(self._active)
