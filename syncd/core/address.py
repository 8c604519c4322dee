"""Addresses of the network: who can reach them."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address, given as a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
