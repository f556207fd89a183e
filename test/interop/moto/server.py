"""moto's server with the one thing of AWS KMS that a signer needs and moto 5.2.5 lacks: signing a digest as it stands.

moto reads MessageType and then hashes every message, so that a digest is hashed twice. Here an ECDSA key takes a message
of the length of its hash for the digest itself. Everything else is moto's own.
"""

import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.kms.utils import ECDSAPrivateKey
from moto.server import main

sign_message = ECDSAPrivateKey.sign


def sign(self, message, signing_algorithm):
    if signing_algorithm == "ECDSA_SHA_256" and len(message) == 32:
        return self.private_key.sign(message, ec.ECDSA(Prehashed(hashes.SHA256())))
    return sign_message(self, message, signing_algorithm)


ECDSAPrivateKey.sign = sign
main(sys.argv[1:])
