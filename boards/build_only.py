"""Platforms of amaranth-boards without what only programming needs: that is the project's own, and building must not ask for it."""

from amaranth.build import Platform

PROGRAMMING_TOOLS = ("openFPGALoader", "dfu-suffix")
"""Programs for programming that some platforms require, or run, when they only build."""


class BuildOnly:
    """Mixed in before a platform, leaves these programs out."""

    @property
    def required_tools(self) -> list[str]:
        return [tool for tool in super().required_tools if tool not in PROGRAMMING_TOOLS]

    @property
    def command_templates(self) -> list[str]:
        return [
            command
            for command in super().command_templates
            if not any(tool in command for tool in PROGRAMMING_TOOLS)
        ]


def build_only(platform_class: type[Platform]) -> Platform:
    """A fresh platform that only builds."""
    return type(platform_class.__name__, (BuildOnly, platform_class), {})()
