"""The Merkle tree of RFC 9162: hashes, roots of every size, and the verification of proofs (sections 2.1.3.2 and 2.1.4.2)."""

import hashlib


def leaf_hash(leaf):
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows leaf by leaf, and knows its root at each size."""

    def __init__(self):
        self.roots = [hashlib.sha256(b"").digest()]
        self._frontier = []  # (level, hash) of the perfect subtrees, largest first

    @property
    def size(self):
        return len(self.roots) - 1

    def append(self, hash_of_leaf):
        """Answers the hashes of the subtrees that the leaf completes, its own first."""
        level, carry, completed = 0, hash_of_leaf, [hash_of_leaf]
        while self._frontier and self._frontier[-1][0] == level:
            carry = node_hash(self._frontier.pop()[1], carry)
            level += 1
            completed.append(carry)
        self._frontier.append((level, carry))
        root = self._frontier[-1][1]
        for _, left in reversed(self._frontier[:-1]):
            root = node_hash(left, root)
        self.roots.append(root)
        return completed

    def frontier(self):
        return [subtree for _, subtree in self._frontier]


def inclusion_holds(hash_of_leaf, index, size, path, root):
    if not 0 <= index < size:
        return False
    fn, sn, result = index, size - 1, hash_of_leaf
    for step in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            result = node_hash(step, result)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            result = node_hash(result, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and result == root


def consistency_holds(first, second, path, first_root, second_root):
    if first == second:
        return not path and first_root == second_root
    if first == 0:
        return not path
    path = list(path)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old = new = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            new = node_hash(new, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and old == first_root and new == second_root
