"""A CloudFormation template as AWS would see it: parameters checked, functions resolved."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import yaml

_PSEUDO = {"AWS::Region": "eu-central-1", "AWS::Partition": "aws", "AWS::AccountId": "123456789012"}
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")


class ParameterError(Exception):
    """A stack cannot be made with these parameters."""


@attrs.frozen
class Reference:
    """What stands for a resource, or for an attribute of it."""

    resource: str
    attribute: str | None = None

    def __str__(self) -> str:
        return f"<{self.resource}.{self.attribute}>" if self.attribute else f"<{self.resource}>"


class _Loader(yaml.SafeLoader):
    """Reads the short forms, ``!Ref`` and the like, as the long ones."""


def _function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _function)


class Stack:
    """A template with parameters.

    Args:
        template: the file.
        parameters: as an operator writes them; those left out have their default.

    Raises:
        ParameterError: one is missing, unknown, or not allowed.
    """

    def __init__(self, template: Path, parameters: Mapping[str, str]) -> None:
        self._template = yaml.load(template.read_text(), _Loader)
        declared = self._template["Parameters"]
        if unknown := parameters.keys() - declared.keys():
            raise ParameterError(f"unknown: {unknown}")
        self._parameters = {name: _checked(name, declared[name], parameters) for name in declared}
        self.resources: dict[str, Any] = self._resolve(self._template["Resources"])
        self.outputs: dict[str, Any] = self._resolve(self._template["Outputs"])

    def properties(self, name: str) -> dict[str, Any]:
        """Return the resolved properties of a resource."""
        found = self.resources[name].get("Properties", {})
        assert isinstance(found, dict)
        return found

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resolved properties of all resources of a type, by name."""
        return {n: self.properties(n) for n, r in self.resources.items() if r["Type"] == kind}

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolve(each) for each in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, self._resolve(argument))
        return {name: self._resolve(each) for name, each in value.items()}

    def _call(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Ref", str():
                return self._named(argument)
            case "Fn::GetAtt", [resource, attribute]:
                return self._attribute(resource, attribute)
            case "Fn::Sub", str():
                return _PLACEHOLDER.sub(lambda found: str(self._named(found[1])), argument)
            case "Fn::Join", [separator, parts]:
                return str(separator).join(map(str, parts))
            case "Fn::FindInMap", [table, first, second]:
                return self._template["Mappings"][table][str(first)][second]
        raise NotImplementedError(f"{name} {argument}")

    def _named(self, name: str) -> Any:
        if name in self._parameters:
            return self._parameters[name]
        if name in _PSEUDO:
            return _PSEUDO[name]
        resource, _, attribute = name.partition(".")
        return self._attribute(resource, attribute or None)

    def _attribute(self, resource: str, attribute: str | None) -> Reference:
        assert resource in self._template["Resources"], f"there is no {resource}"
        return Reference(resource, attribute)


def _checked(name: str, declared: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    """Return the value of a parameter. Numbers stay text, as CloudFormation passes them on."""
    if name not in given and "Default" not in declared:
        raise ParameterError(f"{name} is missing")
    value = str(given.get(name, declared.get("Default")))
    if "AllowedValues" in declared and value not in map(str, declared["AllowedValues"]):
        raise ParameterError(f"{name} may not be {value}")
    if "AllowedPattern" in declared and not re.fullmatch(declared["AllowedPattern"], value):
        raise ParameterError(f"{name} may not look like {value}")
    kind = declared["Type"]
    if kind == "Number":
        number = float(value)
        if not declared.get("MinValue", number) <= number <= declared.get("MaxValue", number):
            raise ParameterError(f"{name} may not be {value}")
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    return value.split(",") if is_list else value
