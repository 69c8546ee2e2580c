"""What only a demo may have."""

from kiosk.config.model import KioskConfig


def refusals(config: KioskConfig) -> list[str]:
    """Sentences that say why `kiosk run` will not start on this configuration; empty when it will.

    An open vpcd port cannot be seen from here: whoever opens the readers looks for it.
    """
    sentences = []
    if config.kiosk.demo:
        sentences.append("kiosk.demo is true: demo people and demo PINs are for `kiosk demo` only.")
    for spec in config.readers.specs:
        backend, _, rest = spec.strip().lower().partition(":")
        if backend.strip() == "simulated":
            sentences.append("readers.specs names the simulated reader: anybody could tap without a badge.")
        elif backend.strip() == "nfcpy" and rest.strip().startswith("udp"):
            sentences.append("readers.specs names nfcpy's UDP device: anybody on the network could tap.")
    return sentences
