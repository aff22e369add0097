# As much of nixpkgs' lib as the starter fleet uses, and the merging of modules. There are no declared options: lists are put
# together, sets are merged, of anything else the strongest definition counts and two of one strength are a conflict.
rec {
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkForce = mkOverride 50;
  mkDefault = mkOverride 1000;
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };

  toList = x: if builtins.isList x then x else [ x ];
  getName = package: package.pname or (builtins.parseDrvName package.name).name;
  getExe' = package: name: "${package}/bin/${name}";
  getExe = package: getExe' package (package.meta.mainProgram or (getName package));
  escapeShellArgs = words: builtins.concatStringsSep " " (map (word: "'${toString word}'") words);
  optional = condition: value: if condition then [ value ] else [ ];
  optionalAttrs = condition: value: if condition then value else { };
  concatStringsSep = builtins.concatStringsSep;

  isSet = value: builtins.isAttrs value && !(value ? _type) && (value.type or null) != "derivation";

  # A property around a set moves to its members, so that no condition has to be known to list their names.
  pushDown =
    definition:
    if !(builtins.isAttrs definition) then
      [ definition ]
    else if (definition._type or null) == "merge" then
      builtins.concatMap pushDown definition.contents
    else if definition ? _type then
      map (inner: if isSet inner then builtins.mapAttrs (_: value: definition // { content = value; }) inner else definition // { content = inner; }) (
        pushDown definition.content
      )
    else
      [ definition ];

  # A leaf's value and strength; none when a condition around it does not hold.
  leaves =
    definition:
    if (definition._type or null) == "if" then
      (if definition.condition then builtins.concatMap leaves (pushDown definition.content) else [ ])
    else if (definition._type or null) == "override" then
      map (leaf: { inherit (definition) priority; inherit (leaf) value; }) (builtins.concatMap leaves (pushDown definition.content))
    else
      [ { priority = 100; value = definition; } ];

  none = { _type = "none"; };

  merge =
    path: definitions:
    let
      flat = builtins.concatMap pushDown definitions;
      found = builtins.concatMap leaves flat;
      strongest = builtins.foldl' (a: b: if b.priority < a then b.priority else a) 10000 found;
      values = map (leaf: leaf.value) (builtins.filter (leaf: leaf.priority == strongest) found);
      first = builtins.head values;
    in
    if builtins.all isSet flat then
      builtins.zipAttrsWith (name: merge (path ++ [ name ])) flat
    else if values == [ ] then
      none
    else if builtins.all builtins.isList values then
      builtins.concatLists values
    else if builtins.all (value: value == first) values then
      first
    else
      throw "The option `${builtins.concatStringsSep "." path}' has conflicting definition values: ${builtins.toJSON values}";

  # Without what no definition is left of; only for parts whose conditions do not ask for that very part.
  clean =
    value:
    if isSet value then
      let
        kept = builtins.mapAttrs (_: clean) value;
        names = builtins.filter (name: (kept.${name}._type or null) != "none") (builtins.attrNames kept);
      in
      if names == [ ] && value != { } then none else builtins.listToAttrs (map (name: { inherit name; value = kept.${name}; }) names)
    else
      value;
}
