"""Which PINs are refused when they are chosen (NIST SP 800-63B: six digits or more, common values blocked)."""

from itertools import pairwise

from kiosk.access.entered_pin import EnteredPin

MINIMUM_DIGITS = 6
MAXIMUM_DIGITS = 32
OWN_NUMBER_DIGITS = 4

# Chosen often and not caught by a rule below: keypad walks, mirrored and paired digits, constants.
_COMMON = """
    102030 112211 112233 112358 121314 123123 123321 123654 123789 131415 141421 142536 147258 147369
    147852 147896 159357 159753 198765 201020 223344 258369 271828 314159 321654 332211 334455 357159
    369258 445566 456123 456654 520131 556677 654456 667788 741852 753159 753951 778899 789123 789456
    852456 852963 889900 951753 963852 987321 987456 998877 1234560 1234567 7894561 11223344 12341234 12344321
    14725836 31415926 43211234 5201314 87654321 98765432 12345678 1472583690 1357924680
"""
COMMON = frozenset(_COMMON.split())


def weakness(pin: EnteredPin, user_id: str, allow_weak: bool = False) -> str:
    """Why this PIN cannot be chosen, as a sentence without the PIN; empty when it can.

    `allow_weak` keeps only the rule of length and is for the demo alone.
    """
    digits = pin.reveal()
    if not (digits.isascii() and digits.isdigit()):
        return "A PIN has digits only."
    if len(digits) < MINIMUM_DIGITS:
        return f"A PIN has {MINIMUM_DIGITS} digits or more."
    if len(digits) > MAXIMUM_DIGITS:
        return f"A PIN has at most {MAXIMUM_DIGITS} digits."
    if allow_weak:
        return ""
    if _is_even_walk(digits):
        return "A PIN that counts up or down, or repeats one digit, is too easy to guess."
    if _is_repetition(digits) or len(set(digits)) < 3:
        return "A PIN that repeats itself is too easy to guess."
    if digits in COMMON or digits[::-1] in COMMON:
        return "This PIN is chosen too often."
    own = "".join(character for character in user_id if character.isascii() and character.isdigit())
    if len(own) >= OWN_NUMBER_DIGITS and (own in digits or own[::-1] in digits or digits in own):
        return "A PIN must not be the person's own number."
    return ""


def _is_even_walk(digits: str) -> bool:
    """True when every digit is the same step from the one before, round the ten: 123456, 975319, 000000."""
    return len({(int(after) - int(before)) % 10 for before, after in pairwise(digits)}) == 1


def _is_repetition(digits: str) -> bool:
    """True for a shorter block written twice or more: 121212, 482482."""
    return digits in (digits + digits)[1:-1]
